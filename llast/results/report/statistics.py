"""The report's section about the corpus: what each pair and split holds, shares with others, and lost."""

import csv
from dataclasses import dataclass
from pathlib import Path

from llast.corpus.statistics import COLUMNS
from llast.errors import DataError
from llast.languages import SPLITS


@dataclass(frozen=True)
class Part:
    """A split of a pair: a line of `corpus_statistics.csv`.

    Attributes:
        numbers: its columns, as text.
        shared: by other split, how many of its speakers and of its sentences occur there too.
        lost: rows by reason, none of them 0.
    """

    pair: str
    split: str
    numbers: dict[str, str]
    shared: dict[str, tuple[int, int]]
    lost: dict[str, int]


def read_statistics(path: Path) -> list[Part]:
    """Read `corpus_statistics.csv`.

    Raises:
        DataError: the file is missing.
    """
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Run the step statistics first.") from None
    return [_part(line) for line in lines]


def _part(line: dict[str, str]) -> Part:
    shared = {
        other: (int(line[f"speakers_in_{other}"]), int(line[f"sentences_in_{other}"]))
        for other in SPLITS
        if other != line["split"]
    }
    lost = {"not validated": int(line["not_validated"])}
    lost |= {name.replace("_", " "): int(line[name]) for name in line if name not in COLUMNS}
    return Part(
        pair=line["pair"],
        split=line["split"],
        numbers=line,
        shared=shared,
        lost={reason: count for reason, count in lost.items() if count},
    )
