"""Hypotheses of a checkpoint as the step `decode` left them, read and checked against its summary."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import Summary, read_summary
from llast.errors import DataError
from llast.languages import PAIRS, source_languages


@dataclass(frozen=True)
class Record:
    """A hypothesis with its reference; of a transcript, the reference is the sentence. `seconds` is the clip's."""

    clip: str
    sentence: str
    reference: str
    hypothesis: str
    seconds: float


@dataclass(frozen=True)
class HypothesisFile:
    """The hypotheses of a pair (or the transcripts of a language) and split.

    Attributes:
        path: where they are.
        rows: how many.
        expected: how many there should have been, those included whose audio is missing.
    """

    path: Path
    rows: int
    expected: int

    def read(self) -> list[Record]:
        """The records, in the order of the split.

        Raises:
            DataError: the file is missing or broken, or does not fit its summary.
        """
        try:
            with self.path.open(
                encoding="utf-8", newline="\n"
            ) as lines:  # splitlines would also split at U+2028
                values = [json.loads(line) for line in lines]
            records = [
                Record(
                    value["clip"],
                    value["sentence"],
                    value["reference"],
                    value["hypothesis"],
                    value["seconds"],
                )
                for value in values
            ]
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise DataError(
                f"cannot read the hypotheses in {self.path}: {error!r}. Delete it and translate again."
            ) from None
        if len(records) != self.rows:
            raise DataError(
                f"{self.path} has {len(records)} rows, its summary says {self.rows}. "
                "Delete it and translate again."
            )
        return records


@dataclass(frozen=True)
class Translated:
    """What one checkpoint made of one split: translations by pair, transcripts by spoken language."""

    identity: dict[str, Any]
    pairs: dict[str, HypothesisFile]
    transcripts: dict[str, HypothesisFile]


def read_translated(translated: list[Path], split: str) -> Translated:
    """The files that the summaries of `decode` name.

    Raises:
        DataError: summaries of different checkpoints, a pair twice, or one that was not translated in this split.
    """
    summaries = {path: read_summary(path) for path in translated}
    identity = _identity(summaries)
    files: dict[str, HypothesisFile] = {}
    transcripts: dict[str, HypothesisFile] = {}
    for path, summary in summaries.items():
        for pair, splits in summary.details["pairs"].items():
            if pair in files:
                raise DataError(f"{pair} is in more than one of the translations; the second is {path}.")
            if split not in splits:
                raise DataError(f"{path} has no {split} rows of {pair}. Translate that split first.")
            files[pair] = _file(path, splits[split])
        spoken = summary.details.get("asr", {}).get(split)
        if spoken:
            (source,) = source_languages(list(summary.details["pairs"]))
            transcripts[source] = _file(path, spoken)
    return Translated(identity, {pair: files[pair] for pair in PAIRS if pair in files}, transcripts)


def _file(summary: Path, described: dict[str, Any]) -> HypothesisFile:
    return HypothesisFile(summary.parent / described["file"], described["rows"], described["expected"])


def _identity(summaries: dict[Path, Summary]) -> dict[str, Any]:
    keys = ("experiment", "seed", "checkpoint", "step")
    found = {path: {key: summary.details[key] for key in keys} for path, summary in summaries.items()}
    for path, summary in summaries.items():  # only where checkpoints were averaged
        found[path] |= {k: v for k, v in summary.details.items() if k == "average_last"}
    if not found:
        raise DataError("there is nothing to score: no translations were given.")
    first_path, first = next(iter(found.items()))
    for path, identity in found.items():
        if identity != first:
            raise DataError(
                f"cannot score different checkpoints together: {first_path} is {first}, {path} is {identity}."
            )
    return first
