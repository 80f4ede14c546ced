"""The summaries of all steps, and that of the step decode."""

from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from llast.artifacts.base import Summary, Typed
from llast.artifacts.corpus import (
    FetchModelSummary,
    FetchSummary,
    FilterSummary,
    JoinSummary,
    MixSummary,
    ResampleSummary,
    SynthesizeSummary,
)
from llast.artifacts.files import read_json
from llast.config.base import Pair
from llast.errors import DataError

Split = Literal["dev", "test"]


class Hypotheses(Typed):
    """A file of hypotheses beside a summary of decode.

    Attributes:
        file: its name.
        rows: rows in it.
        expected: rows of the set; those without audio, or that were not drawn, are not in the file.
    """

    file: str
    rows: NonNegativeInt
    expected: NonNegativeInt


class DecodeDetails(Typed):
    """What one checkpoint made of one source language.

    Attributes:
        experiment: name of the experiment.
        seed: seed of the run.
        checkpoint: number of the checkpoint, from 1.
        step: its optimiser step.
        average_last: how many checkpoints up to it were averaged.
        pairs: translations by pair and split.
        transcripts: those of the source language, by split.
    """

    experiment: str
    seed: NonNegativeInt
    checkpoint: PositiveInt
    step: NonNegativeInt
    average_last: PositiveInt = 1
    pairs: dict[Pair, dict[Split, Hypotheses]]
    transcripts: dict[Split, Hypotheses] = {}


class DecodeSummary(Summary):
    """Summary of the step decode."""

    format: int = 2
    step: Literal["decode"] = "decode"
    details: DecodeDetails


SUMMARIES: dict[str, type[Summary]] = {
    kind.model_fields["step"].default: kind
    for kind in (
        SynthesizeSummary,
        FetchSummary,
        FetchModelSummary,
        ResampleSummary,
        JoinSummary,
        FilterSummary,
        MixSummary,
        DecodeSummary,
    )
}
"""Class of a summary by its step."""


def read_summary(path: Path) -> Summary:
    """Read the summary of any step, as the class of that step.

    Raises:
        DataError: the file is missing or is not a summary.
    """
    value = read_json(path)
    step = value.get("step") if isinstance(value, dict) else None
    if step not in SUMMARIES:
        writer = next((name for name in reversed(path.parts) if name in SUMMARIES), "that made it")
        raise DataError(
            f"{path}: 'step': one of {', '.join(SUMMARIES)} is expected, not {step!r:.60}. Delete it and run "
            f"snakemake again: the step {writer} writes it anew."
        )
    return SUMMARIES[step].read(path)
