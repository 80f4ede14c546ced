"""Hypotheses of a checkpoint as the step `decode` left them, read and checked against its summaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts.hypotheses import Hypothesis, read_hypotheses
from llast.artifacts.summaries import DecodeDetails, DecodeSummary, Hypotheses, Split
from llast.errors import DataError
from llast.languages import PAIRS, source_languages


@dataclass(frozen=True)
class HypothesisFile:
    """The hypotheses of a pair (or the transcripts of a language) and split.

    Attributes:
        path: where they are.
        rows: how many.
        expected: how many the set has, those included that were not drawn or whose audio is missing.
    """

    path: Path
    rows: int
    expected: int

    def read(self) -> list[Hypothesis]:
        """The records, in the order of the split.

        Raises:
            DataError: the file is missing or broken, or does not fit its summary.
        """
        return read_hypotheses(self.path, self.rows)


@dataclass(frozen=True)
class Translated:
    """What one checkpoint made of one split: translations by pair, transcripts by spoken language.

    `of` is one of the summaries, for the checkpoint's name, seed, number and step.
    """

    of: DecodeDetails
    pairs: dict[str, HypothesisFile]
    transcripts: dict[str, HypothesisFile]


def read_translated(translated: Sequence[Path], split: Split) -> Translated:
    """The files that the summaries of `decode` name.

    Raises:
        DataError: summaries of different checkpoints, a pair twice, or one that was not translated in this split.
    """
    summaries = {path: DecodeSummary.read(path).details for path in translated}
    if not summaries:
        raise DataError("there is nothing to score: no translations were given.")
    first_path, first = next(iter(summaries.items()))
    files: dict[str, HypothesisFile] = {}
    transcripts: dict[str, HypothesisFile] = {}
    for path, details in summaries.items():
        if _checkpoint(details) != _checkpoint(first):
            raise DataError(
                f"cannot score different checkpoints together: {first_path} is {_checkpoint(first)}, "
                f"{path} is {_checkpoint(details)}."
            )
        for pair, splits in details.pairs.items():
            if pair in files:
                raise DataError(f"{pair} is in more than one of the translations; the second is {path}.")
            if split not in splits:
                raise DataError(f"{path} has no {split} rows of {pair}. Decode that split first.")
            files[pair] = _file(path, splits[split])
        if split in details.transcripts:
            (source,) = source_languages(list(details.pairs))
            transcripts[source] = _file(path, details.transcripts[split])
    return Translated(first, {pair: files[pair] for pair in PAIRS if pair in files}, transcripts)


def _file(summary: Path, written: Hypotheses) -> HypothesisFile:
    return HypothesisFile(summary.parent / written.file, written.rows, written.expected)


def _checkpoint(details: DecodeDetails) -> dict[str, str | int]:
    return details.model_dump(include={"experiment", "seed", "checkpoint", "step", "average_last"})
