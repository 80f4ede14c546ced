"""Hand-made Common Voice releases and CoVoST-2 tables: real files, a few tones long."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from llast.artifacts.corpus import FetchSummary
from llast.config.steps import FetchOptions
from llast.corpus.fetch import fetch
from llast.corpus.sources.local import LocalSource
from tests.unit.corpus.server import Server, serving

SPEAKER = "speaker1"


def tone(
    seconds: float, rate: int = 48_000, channels: int = 1, kind: str = "MP3", pitch: float = 440.0
) -> bytes:
    """A sound file with a tone of amplitude 0.3."""
    time = np.arange(int(seconds * rate)) / rate
    signal = 0.3 * np.sin(2 * np.pi * pitch * time)
    file = io.BytesIO()
    options = {"bitrate_mode": "CONSTANT", "compression_level": 0.8} if kind == "MP3" else {}
    if kind == "OPUS":
        kind, options = "OGG", {"subtype": "OPUS"}
    soundfile.write(file, np.stack([signal] * channels, axis=1), rate, format=kind, **options)
    return file.getvalue()


@dataclass
class Release:
    """A Common Voice release of one language with its CoVoST-2 tables, to be written as archives.

    Attributes:
        clips: content by file name; None: the tables name it, the archive lacks it.
        sentences: sentence by file name, the rows of validated.tsv.
        speakers: their speakers, where not `SPEAKER`.
        tables: rows (path, translation, label) by pair.
    """

    source: str = "fr"
    clips: dict[str, bytes | None] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
    speakers: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        data: bytes | None,
        sentence: str,
        translation: str,
        label: str = "train",
        pair: str = "fr_en",
    ) -> None:
        """Add a clip that one pair refers to."""
        self.clips[name] = data
        self.sentences[name] = sentence
        self.tables.setdefault(pair, []).append((name, translation, label))

    def files(self, root: str = "", validated_last: bool = False) -> list[tuple[str, bytes]]:
        """Names and contents of the release's files, in the order of the archive."""
        header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent\n"
        rows = "".join(
            f"{self.speakers.get(name, SPEAKER)}\t{name}\t{text}\t2\t0\t\t\t\n"
            for name, text in self.sentences.items()
        )
        validated = [(f"{root}validated.tsv", (header + rows).encode())]
        clips = [(f"{root}clips/{name}", data) for name, data in self.clips.items() if data is not None]
        return clips + validated if validated_last else validated + clips

    def write(
        self, folder: Path, root: str = "", validated_last: bool = False, archive: str = ".tar.gz"
    ) -> LocalSource:
        """Write the archives; the returned source names them."""
        folder.mkdir(parents=True, exist_ok=True)
        write_tar(folder / f"{self.source}{archive}", self.files(root, validated_last))
        for pair, rows in self.tables.items():
            text = "path\ttranslation\tsplit\n" + "".join("\t".join(row) + "\n" for row in rows)
            write_tar(folder / f"covost_v2.{pair}.tsv.tar.gz", [(f"covost_v2.{pair}.tsv", text.encode())])
        return LocalSource(
            audio=str(folder / f"{{lang}}{archive}"), tables=str(folder / "covost_v2.{pair}.tsv.tar.gz")
        )

    def fetch(
        self, folder: Path, root: str = "", validated_last: bool = False, output: Path | None = None
    ) -> Path:
        """Write the archives and run the step fetch on them; returns its summary's path."""
        source, output = self.write(folder / "files", root, validated_last), output or folder / "fetch"
        fetched(self.source, list(self.tables), output, source)
        return output / "summary.json"


def fetched(source: str, pairs: list[str], output: Path, options: LocalSource) -> FetchSummary:
    """Run the step fetch on local files, of whatever splits there are."""
    return fetch(source, pairs, output, FetchOptions(source=options, evaluated=()), output / "downloads")


def write_tar(path: Path, files: list[tuple[str, bytes]]) -> None:
    """Write a tar, compressed if its name ends in gz."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    plain = content.getvalue()
    path.write_bytes(gzip.compress(plain, mtime=0) if path.suffix == ".gz" else plain)


@pytest.fixture(scope="session")
def mp3() -> bytes:
    """A good clip: 1.5 s, 48 kHz, mono."""
    return tone(1.5)


@pytest.fixture
def release(mp3: bytes) -> Release:
    """Ten usable clips in every odd format, and one of every defect."""
    release = Release()
    for number in range(6):
        release.add(
            f"good{number}.mp3",
            tone(1.0 + number / 10, pitch=300 + 50 * number),
            f"phrase {number}",
            f"p{number}",
        )
    release.add("stereo.mp3", tone(1.5, rate=44_100, channels=2), "stéréo", "stereo")
    release.add("rate32.mp3", tone(1.5, rate=32_000), "trente-deux", "thirty-two", "train_covost")
    release.add("wave.wav", tone(1.5, rate=16_000, kind="WAV"), "onde", "wave", "dev")
    release.add("opus.ogg", tone(1.5, kind="OPUS"), "opus", "opus", "test")
    release.add("none.mp3", None, "absent", "missing")
    release.add("zero.mp3", b"", "vide", "empty")
    release.add("text.mp3", b"<html>not sound</html>" * 100, "texte", "text")
    release.add("cut.mp3", tone(4.0)[:9000], "coupé", "cut")
    release.add("short.mp3", tone(0.05), "x", "x")
    release.add("label.mp3", tone(1.0), "étiquette", "label", "dev_covost")
    release.clips["unreferred.mp3"] = mp3
    release.sentences["unreferred.mp3"] = "personne"
    return release


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    with serving() as server:
        yield server
