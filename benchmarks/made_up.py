"""Made-up corpora: tables of CoVoST-2's official size, or a share of it, and archives of clips."""

import io
import random
import string
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from llast.artifacts.corpus import (
    FetchDetails,
    FetchedAudio,
    FetchedTable,
    FetchSummary,
    ResampleDetails,
    ResampleSummary,
)
from llast.corpus.official import official_table
from llast.corpus.store import INDEX
from llast.corpus.tables import SPLIT_OF_LABEL
from llast.languages import PAIRS, SPLITS, pairs_from

OFFICIAL = official_table()


def rows(pair: str, split: str, share: float = 1.0) -> int:
    """Rows of a pair and split in a share of the official ones."""
    return max(1, round(share * int(OFFICIAL[pair][split])))


def make_up(folder: Path, source: str, share: float = 1.0, chosen: Sequence[str] = PAIRS) -> int:
    """Write what fetch and resample leave of a language below `folder`, but for audio; returns the rows of its tables
    out of the chosen pairs.

    `validated.tsv` is twice as long as needed, as that of Common Voice 4. Every pair of a language uses the same
    clips. One clip in a hundred has no audio.
    """
    draw = random.Random(source)
    pairs = pairs_from(source, tuple(chosen))
    clips = {
        split: [
            f"common_voice_{source}_{split}{number:07}"
            for number in range(max(rows(pair, split, share) for pair in pairs))
        ]
        for split in SPLITS
    }
    needed = [clip for names in clips.values() for clip in names]
    validated = needed + [f"common_voice_{source}_spare{number:07}" for number in range(len(needed))]
    draw.shuffle(validated)
    fetched, resampled = folder / "fetch" / source, folder / "resample" / source
    for path in (fetched, resampled / "store"):
        path.mkdir(parents=True)
    text = _texts(draw)
    speakers = ["".join(draw.choices("0123456789abcdef", k=128)) for _ in range(1 + len(needed) // 40)]
    with (fetched / "validated.tsv").open("w", encoding="utf-8") as file:
        file.write("client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent\n")
        for number, clip in enumerate(validated):
            sentence = f'"{next(text)}"' if number % 50 == 0 else next(text)
            file.write(f"{speakers[number % len(speakers)]}\t{clip}.mp3\t{sentence}\t2\t0\t\t\t\n")
    for pair in pairs:
        with (fetched / f"covost_v2.{pair}.tsv").open("w", encoding="utf-8") as file:
            file.write("path\ttranslation\tsplit\n")
            for split in SPLITS:
                for clip in clips[split][: rows(pair, split, share)]:
                    file.write(f"{clip}.mp3\t{next(text)}\t{split}\n")
    tables = {pair: fetched / f"covost_v2.{pair}.tsv" for pair in pairs}
    _fetched(fetched, source, fetched, tables)
    with_audio = sorted(draw.sample(needed, len(needed) * 99 // 100))
    seconds = 3 + 4 * np.random.default_rng(1).random(len(with_audio))
    nowhere = np.zeros(len(with_audio), np.int32)
    with pa.ipc.new_file(str(resampled / "store" / "index.arrow"), INDEX) as out:
        out.write_table(pa.table([with_audio, seconds, nowhere, nowhere], schema=INDEX))
    details = ResampleDetails(store="store", audio="audio", seconds=float(seconds.sum()), quarantine=[])
    ResampleSummary(version=1, rows_in=0, rows_out=0, details=details).write(resampled / "summary.json")
    return sum(rows(pair, split, share) for pair in pairs for split in SPLITS)


def _texts(draw: random.Random) -> Iterator[str]:
    """Endless texts of 20 to 100 characters, cut out of a long one: much quicker than to put each together."""
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9))) for _ in range(20_000)]
    prose = " ".join(draw.choices(words, k=200_000))
    last = len(prose) - 100
    while True:
        start = int(draw.random() * last)
        yield prose[start : start + 20 + start % 80].strip()


def _fetched(folder: Path, source: str, archive: Path, tables: dict[str, Path]) -> None:
    audio = FetchedAudio(reader="release", path=str(archive), bytes=archive.stat().st_size, sha256="none")
    files = {pair: FetchedTable(path=str(path), bytes=0, sha256="none") for pair, path in tables.items()}
    details = FetchDetails(
        source=source, audio=audio, validated="validated.tsv", tables=files, splits=SPLIT_OF_LABEL
    )
    FetchSummary(version=1, rows_in=0, rows_out=0, details=details).write(folder / "summary.json")


def clip(number: int, seconds: float, rate: int = 48_000) -> bytes:
    """An mp3 like those of Common Voice, 64 kbit/s: a voice-like buzz that rises, falls and pauses, in some noise."""
    draw = np.random.default_rng(number)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 60 * draw.random() + 20 * np.sin(2 * np.pi * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    loudness = np.clip(np.sin(2 * np.pi * 1.5 * time) + 0.5, 0, 1)
    file = io.BytesIO()
    signal = 0.1 * loudness * voice + 0.003 * draw.standard_normal(len(time))
    soundfile.write(file, signal, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.8)
    return file.getvalue()


def make_release(folder: Path, clips: Sequence[bytes], count: int) -> Path:
    """Write a Common Voice archive of French with so many clips, the given ones in turn, and a table of fr_en that
    refers to all of them; and what fetch says about them: returns that summary."""
    folder.mkdir(parents=True)
    names = [f"common_voice_fr_{number:08}.mp3" for number in range(count)]
    validated = "client_id\tpath\tsentence\n" + "".join(f"someone\t{name}\tBonjour.\n" for name in names)
    (folder / "validated.tsv").write_text(validated, encoding="utf-8")
    table = "path\ttranslation\tsplit\n" + "".join(f"{name}\tHello.\ttrain\n" for name in names)
    (folder / "covost_v2.fr_en.tsv").write_text(table, encoding="utf-8")
    with tarfile.open(folder / "fr.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(folder / "validated.tsv", "validated.tsv")
        for number, name in enumerate(names):
            member = tarfile.TarInfo(f"clips/{name}")
            member.size = len(clips[number % len(clips)])
            archive.addfile(member, io.BytesIO(clips[number % len(clips)]))
    _fetched(folder, "fr", folder / "fr.tar.gz", {"fr_en": folder / "covost_v2.fr_en.tsv"})
    return folder / "summary.json"
