"""Summaries: what a step did with its rows, and what else later steps have to know of it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from llast.artifacts.base import Artifact, Typed
from llast.artifacts.files import read_json
from llast.errors import DataError

Split = Literal["dev", "test"]


class Summary(Artifact):
    """What a step did with its rows. It is the step's declared output, written last, data beside it.

    Attributes:
        step: name of the step (rule, verb and module have the same).
        version: version of the step's behaviour; a change of it reruns the step.
        rows_in: rows read.
        rows_out: rows written.
        dropped: rows left out, by reason; `rows_in == rows_out + sum(dropped.values())`.
        seconds: wall time of the step.
        details: what else is worth knowing, by step.
    """

    step: str
    version: int
    rows_in: int
    rows_out: int
    dropped: dict[str, int] = {}
    seconds: float = 0.0
    details: Any = {}

    @model_validator(mode="after")
    def _adds_up(self) -> "Summary":
        if self.rows_in != self.rows_out + sum(self.dropped.values()):
            raise ValueError(f"{self.step}: {self.rows_in} in, {self.rows_out} out, dropped {self.dropped}")
        return self

    def line(self) -> str:
        """The summary in one line, for a terminal."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        dropped = f" (dropped: {reasons})" if reasons else ""
        return f"{self.rows_in:,} in, {self.rows_out:,} out{dropped}, {self.seconds:.1f} s"

    @classmethod
    def broken(cls, path: Path, problem: str) -> DataError:
        """The error of a file that does not fit; the folder above a summary's names its step."""
        step = getattr(cls, "WRITTEN_BY", path.parent.parent.name)
        return DataError(
            f"{path}: {problem}. Delete it and run snakemake again: the step {step} writes it anew."
        )


class Hypotheses(Typed):
    """A file of hypotheses beside a summary of decode.

    Attributes:
        file: its name.
        rows: rows in it.
        expected: rows that were chosen; those without audio are not in the file.
    """

    file: str
    rows: int
    expected: int


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
    seed: int
    checkpoint: int
    step: int
    average_last: int = 1
    pairs: dict[str, dict[Split, Hypotheses]]
    transcripts: dict[Split, Hypotheses] = {}


class DecodeSummary(Summary):
    """Summary of the step decode."""

    WRITTEN_BY = "decode"

    format: int = 2
    step: Literal["decode"] = "decode"
    details: DecodeDetails


SUMMARIES: dict[str, type[Summary]] = {"decode": DecodeSummary}
"""Class of a summary by its step."""


def read_summary(path: Path) -> Summary:
    """Read the summary of any step, as the class of that step.

    Raises:
        DataError: the file is missing or is not a summary.
    """
    value = read_json(path)
    step = value.get("step") if isinstance(value, dict) else None
    return SUMMARIES.get(str(step), Summary).read(path)
