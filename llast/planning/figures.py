"""The figures that estimates start from: shipped ones with their source, replaced by what benchmarks measured here."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from llast.artifacts.base import first_problem
from llast.errors import DataError


@dataclass(frozen=True)
class Figure:
    """A number that an estimate uses.

    Attributes:
        name: such as `resample_speed`.
        value: in `unit`.
        unit: as written in figures.tsv.
        source: where it comes from, for the reader of a plan.
        measured: whether a benchmark on this machine gave it.
    """

    name: str
    value: float
    unit: str
    source: str
    measured: bool = False


def rows_of(name: str) -> list[dict[str, str]]:
    """Rows of one of the tables that lie beside this module."""
    text = files("llast.planning").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def load_figures(benchmarks: Path) -> dict[str, Figure]:
    """The shipped figures, each replaced by the newest record of the larger size that has it, of `benchmarks/*.json`.

    Args:
        benchmarks: folder with the records of `make bench`; need not exist.

    Raises:
        DataError: a file there does not hold records.
    """
    figures = {
        row["name"]: Figure(row["name"], float(row["value"]), row["unit"], row["source"])
        for row in rows_of("figures.tsv")
    }
    for record, path in _records(benchmarks):
        for name, value in record.rates.items():
            if name in figures:
                source = f"{path}, {record.date}, {record.machine}"
                figures[name] = Figure(name, value, figures[name].unit, source, measured=True)
    return figures


class _Record(BaseModel):
    """What of a benchmark's record a plan reads."""

    full: bool
    date: str
    machine: str
    rates: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}


def _records(folder: Path) -> list[tuple[_Record, Path]]:
    """All records, those of the full size last, and of one size the newest."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            records = TypeAdapter(list[_Record]).validate_json(path.read_bytes())
        except ValidationError as error:
            raise DataError(
                f"{path} holds no benchmark records: {first_problem(error)}. Delete it, or make it again: make bench."
            ) from None
        found += [(record, path) for record in records]
    return sorted(found, key=lambda item: (item[0].full, item[0].date, str(item[1])))
