"""Step `synthesize`: a source language's speech and tables, in the shape of Common Voice 4 and CoVoST-2.

Members and columns are those of the real releases; with `dirt` so are their defects, so that the demo goes through
the same checks as the real data.
"""

import gzip
import hashlib
import io
import multiprocessing
import tarfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from llast.artifacts import atomic_path
from llast.artifacts.corpus import SynthesizeDetails, SynthesizeSummary
from llast.config.steps import STEP_VERSIONS
from llast.corpus.sources.synthetic import SynthesizeOptions
from llast.demo import grammar, phrasebook
from llast.demo.speech import encode_mp3, speak, voice_of
from llast.errors import ConfigError
from llast.languages import SPLITS, pairs_from
from llast.progress import progress

GRAMMARS: dict[str, ModuleType] = {"sentences": grammar, "phrasebook": phrasebook}
RELEASED = 1_578_960_000  # 2020-01-14, when Common Voice 4 came out: every member's time of modification
COLUMNS = ("client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "accent")

DIRT = {
    "csv_residue": ("train", 3),
    "csv_residue_inner": ("train", 2),
    "empty_translation": ("train", 2),
    "remove_translation": ("train", 2),
    "zero_byte": ("train", 2),
    "truncated": ("train", 2),
    "missing": ("train", 2),
    "stereo_44k": ("train", 2),
    "train_covost": ("train_covost", 4),
    "dev_covost": ("dev_covost", 2),
    "test_covost": ("test_covost", 2),
    "dev_dup": ("dev_dup", 1),
    "unreferenced": ("", 1),
}
"""Defects of the real corpus: split label and number of rows. `csv_residue` is a sentence in quotes that it should
not have; `csv_residue_inner` one whose own quotes are doubled too; `unreferenced` no table knows."""


@dataclass(frozen=True)
class Line:
    """A clip to make: what is said, in what voice, and how the tables list it."""

    number: int
    lang: str
    text: str
    sentence: str
    translations: tuple[str, ...]
    label: str
    defect: str

    @property
    def path(self) -> str:
        """File name of the clip, which is the key of all tables."""
        return f"common_voice_{self.lang}_{self.number:08d}.mp3"


def synthesize(
    source: str, pairs: list[str], output: Path, options: SynthesizeOptions, workers: int = 1
) -> SynthesizeSummary:
    """Write `{source}.tar.gz`, one `covost_v2.{pair}.tsv.tar.gz` per pair and `summary.json` into a folder.

    The bytes of the archives depend on the arguments only, not on the number of workers.

    Raises:
        ConfigError: a pair has another source, the grammar lacks a language, or the synthesizer is not installed.
    """
    started = time.perf_counter()
    if foreign := [pair for pair in pairs if pair not in pairs_from(source, pairs)]:
        raise ConfigError(f"synthesize --source {source}: {' '.join(foreign)} has another source language.")
    lines = plan_lines(source, pairs, options)
    with _archive(output / f"{source}.tar.gz") as archive:
        made = progress(_clips(lines, workers), f"speak {source}", total=len(lines), unit="clip")
        seconds = 0.0
        for line, (clip, spoken) in zip(lines, made, strict=True):
            seconds += spoken
            if line.defect != "missing":
                _add(archive, f"clips/{line.path}", clip)
        for split in sorted(SPLITS):
            _add(
                archive,
                f"{split}.tsv",
                _table(COLUMNS, [_validated(line) for line in lines if line.label == split]),
            )
        _add(archive, "validated.tsv", _table(COLUMNS, [_validated(line) for line in lines]))
    for index, pair in enumerate(pairs):
        rows = [(line.path, line.translations[index], line.label) for line in lines if line.label]
        with _archive(output / f"covost_v2.{pair}.tsv.tar.gz") as archive:
            _add(archive, f"covost_v2.{pair}.tsv", _table(("path", "translation", "split"), rows))
    dirt = {kind: [line.path for line in lines if line.defect == kind] for kind in DIRT}
    summary = SynthesizeSummary(
        version=STEP_VERSIONS["synthesize"],
        rows_in=len(lines),
        rows_out=len(lines),
        seconds=round(time.perf_counter() - started, 3),
        details=SynthesizeDetails(
            source=source,
            pairs=pairs,
            clean={split: getattr(options, split) for split in SPLITS},
            dirt={kind: paths for kind, paths in dirt.items() if paths},
            speech_seconds=round(seconds, 1),
        ),
    )
    summary.write(output / "summary.json")
    return summary


def plan_lines(source: str, pairs: Sequence[str], options: SynthesizeOptions) -> list[Line]:
    """Every clip of a source language: the clean ones of each split, then those with a defect."""
    language_of = GRAMMARS[options.grammar]
    wanted = {split: getattr(options, split) for split in SPLITS}
    labels: list[tuple[str, str]] = [(split, "") for split in SPLITS for _ in range(wanted[split])]
    if options.dirt:
        dirty = [(label, kind) for kind, (label, count) in DIRT.items() for _ in range(count)]
        wanted["train"] += len(dirty)
        labels += dirty
    meanings: dict[str, Iterator[Any]] = {
        split: iter(language_of.sample_meanings(split, wanted[split], options.seed)) for split in SPLITS
    }
    lines = []
    for number, (label, defect) in enumerate(labels):
        # What is dirty says something of train, whatever its label, so that no dev or test sentence is heard twice.
        meaning = next(meanings["train" if defect else label])
        text = language_of.render(meaning, source)
        translations = tuple(language_of.render(meaning, pair.split("_")[1]) for pair in pairs)
        sentence = text
        match defect:
            case "csv_residue":
                sentence = f'"{text}"'
            case "csv_residue_inner":
                sentence = f'"""{text}"""'
                translations = tuple(f'"{translation}"' for translation in translations)
            case "empty_translation":
                translations = tuple("" for _ in pairs)
            case "remove_translation":
                translations = tuple("REMOVE" for _ in pairs)
        lines.append(Line(number, source, text, sentence, translations, label, defect))
    return lines


def make_clip(line: Line) -> tuple[bytes, float]:
    """The mp3 file of a line, and the seconds spoken in it."""
    samples, rate = speak(line.text, line.lang, voice_of(line.lang, line.number))
    clip = encode_mp3(samples, rate, stereo_44k=line.defect == "stereo_44k")
    if line.defect == "zero_byte":
        clip = b""
    elif line.defect == "truncated":
        clip = clip[: len(clip) // 3]
    return clip, len(samples) / rate


def _clips(lines: list[Line], workers: int) -> Iterator[tuple[bytes, float]]:
    if workers == 1:
        yield from map(make_clip, lines)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(make_clip, lines, chunksize=16)


def _validated(line: Line) -> tuple[str, ...]:
    variant = voice_of(line.lang, line.number).variant
    client = hashlib.sha512(f"{line.lang} {variant}".encode()).hexdigest()
    gender = "female" if variant.startswith("f") else "male"
    return (client, line.path, line.sentence, "2", "0", "", gender, "")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Tab-separated text as the real tables are: a header, no quoting."""
    return "".join("\t".join(row) + "\n" for row in [columns, *rows]).encode()


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """A .tar.gz, written atomically, whose bytes depend on its members only. Speech is compressed already."""
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=RELEASED) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member: Any = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), RELEASED
    archive.addfile(member, io.BytesIO(content))
