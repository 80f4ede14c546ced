"""The report's section about the corpus: what each pair and split holds, shares with others, and lost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from llast.corpus.statistics import COLUMNS
from llast.errors import DataError
from llast.languages import SPLITS

OPTIONAL = ("official", "mean_seconds", "source_characters", "target_characters")
"""Columns that may be empty: not published, or of a split without rows. So may what a split shares with itself."""


@dataclass(frozen=True)
class SplitStatistics:
    """A split of a pair: a line of `corpus_statistics.csv`.

    Attributes:
        numbers: its columns; None for what is empty.
        shared: by other split, how many of its speakers and of its sentences occur there too.
        lost: rows by reason, none of them 0.
    """

    pair: str
    split: str
    numbers: dict[str, Any]
    shared: dict[str, tuple[int, int]]
    lost: dict[str, int]


def read_statistics(path: Path) -> list[SplitStatistics]:
    """Read `corpus_statistics.csv`.

    Raises:
        DataError: the file is missing, lacks a column or has something else than a number in one.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Run the step statistics first.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise _broken(path, f"it is no CSV ({error})") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise _broken(path, f"it has no column {', '.join(missing)}")
    for name in table.columns.drop(["pair", "split"]):
        empty = table[name] == ""
        numbers = pd.to_numeric(table[name].where(~empty), errors="coerce")
        may_be_empty = name in OPTIONAL or name.endswith(tuple(f"_in_{split}" for split in SPLITS))
        wrong = (numbers.isna() | numbers.abs().eq(float("inf"))) & ~(empty & may_be_empty)
        if wrong.any():
            row = int(wrong.idxmax())
            raise _broken(path, f"line {row + 2}: '{name}' is no number: '{table[name][row]}'")
        table[name] = numbers.astype(object).where(~empty, None)
    return [_split({str(name): value for name, value in row.items()}) for row in table.to_dict("records")]


def _split(line: dict[str, Any]) -> SplitStatistics:
    shared: dict[str, tuple[int, int]] = {
        other: (int(line[f"speakers_in_{other}"] or 0), int(line[f"sentences_in_{other}"] or 0))
        for other in SPLITS
        if other != line["split"]
    }
    lost = {"not validated": int(line["not_validated"])}
    lost |= {name.replace("_", " "): int(line[name]) for name in line if name not in COLUMNS}
    return SplitStatistics(
        pair=line["pair"],
        split=line["split"],
        numbers=line,
        shared=shared,
        lost={reason: count for reason, count in lost.items() if count},
    )


def _broken(path: Path, problem: str) -> DataError:
    return DataError(
        f"{path}: {problem}. Delete it and run snakemake again: the step statistics writes it anew."
    )
