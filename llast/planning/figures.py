"""The figures that estimates start from: shipped ones with their source, replaced by what benchmarks measured here."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

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
        for name, value in record.get("rates", {}).items():
            if name in figures:
                source = f"{path}, {record['date']}, {record['machine']}"
                figures[name] = Figure(name, float(value), figures[name].unit, source, measured=True)
    return figures


def _records(folder: Path) -> list[tuple[Mapping[str, Any], Path]]:
    """All records, those of the full size last, and of one size the newest."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            records = json.loads(path.read_text(encoding="utf-8"))
            found += [(record["full"], record["date"], str(path), record, path) for record in records]
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{path} holds no benchmark records. Delete it, or make it again: make bench."
            ) from None
    return [(record, path) for *_, record, path in sorted(found, key=lambda item: item[:3])]
