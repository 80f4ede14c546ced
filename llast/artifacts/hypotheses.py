"""Files of hypotheses: a JSON record per line, in the order of the split."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from llast.artifacts.base import Typed, first_problem
from llast.artifacts.files import write_text
from llast.errors import DataError


class Hypothesis(Typed):
    """A hypothesis with its reference.

    Attributes:
        task: `st`, a translation, or `asr`, a transcript.
        clip: id of the clip.
        sentence: what is said.
        reference: what should come out: of a transcript, the sentence.
        hypothesis: what came out.
        seconds: length of the clip.
    """

    task: Literal["st", "asr"] = "st"
    clip: str
    sentence: str
    reference: str
    hypothesis: str
    seconds: float


_ADAPTER = TypeAdapter(Hypothesis)


def write_hypotheses(path: Path, rows: Iterable[Hypothesis]) -> None:
    """Write a file, atomically."""
    write_text(path, "".join(json.dumps(row.model_dump(), ensure_ascii=False) + "\n" for row in rows))


def read_hypotheses(path: Path, rows: int) -> list[Hypothesis]:
    """Read a file that a summary of decode says has so many rows.

    Raises:
        DataError: it is missing or broken, has another number of rows or a clip twice: with line, field and what to run
            again.
    """
    records: list[Hypothesis] = []
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:  # splitlines would also split at U+2028
            for line in lines:
                records.append(_ADAPTER.validate_json(line, strict=True))
    except FileNotFoundError:
        raise _broken(path, "there is no such file") from None
    except ValidationError as error:
        raise _broken(path, f"line {len(records) + 1}: {first_problem(error)}") from None
    except UnicodeDecodeError as error:
        raise _broken(path, f"after line {len(records)}: {error}") from None
    if len(records) != rows:
        raise _broken(path, f"it has {len(records)} rows, its summary says {rows}")
    lines_of: dict[str, int] = {}
    for number, record in enumerate(records, 1):
        if (first := lines_of.setdefault(record.clip, number)) != number:
            raise _broken(path, f"lines {first} and {number} are both of the clip '{record.clip}'")
    return records


def _broken(path: Path, problem: str) -> DataError:
    return DataError(
        f"{path}: {problem}. Delete {path.parent}/summary.json and run snakemake again: the step decode writes both."
    )
