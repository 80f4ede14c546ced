"""JSON files that one step writes and others read: typed, versioned, without NaN and infinity."""

import json
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError, model_validator

from llast.artifacts.files import read_json, write_text
from llast.errors import DataError


class Typed(BaseModel):
    """A part of an `Artifact`: frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Artifact(Typed):
    """A whole file.

    Attributes:
        format: version of the file's form; a class raises its default when it changes what its files hold.
    """

    WRITTEN_BY: ClassVar[str]
    """The step that writes it."""

    format: int = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            DataError: it is missing, broken or of another version: with its path, the field, and what to run again.
        """
        value = read_json(path)
        if not isinstance(value, dict):
            raise cls.broken(path, f"a JSON object is expected, not {json.dumps(value)[:60]}")
        found, wanted = value.get("format", 1), cls.model_fields["format"].default
        if found != wanted:
            raise cls.broken(path, f"it is of format {found!r}, this version of llast reads format {wanted}")
        try:
            # As JSON, where a list may stand for a tuple; strict, so that text never counts as a number.
            return cls.model_validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            raise cls.broken(path, first_problem(error)) from None

    def write(self, path: Path) -> None:
        """Write the file as indented JSON, atomically."""
        write_text(path, json.dumps(self.to_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n")

    def to_json(self) -> dict[str, Any]:
        """Its content as JSON has it."""
        return self.model_dump(mode="json")

    @classmethod
    def broken(cls, path: Path, problem: str) -> DataError:
        """The error of a file that does not fit."""
        return DataError(
            f"{path}: {problem}. Delete it and run snakemake again: the step {cls.WRITTEN_BY} writes it anew."
        )


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
    rows_in: NonNegativeInt
    rows_out: NonNegativeInt
    dropped: dict[str, NonNegativeInt] = {}
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
        """The error of a file that does not fit; the class of each step knows it."""
        step = cls.model_fields["step"].default
        return DataError(
            f"{path}: {problem}. Delete it and run snakemake again: the step {step} writes it anew."
        )


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with its dotted key."""
    detail = error.errors(include_url=False)[0]
    key = ".".join(map(str, detail["loc"]))
    message = detail["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if detail["type"] in ("missing", "value_error"):
        return (f"'{key}': " if key else "") + message + more
    return f"'{key}': {message}, not {detail['input']!r:.60}{more}"
