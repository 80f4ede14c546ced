"""Published CoVoST-2 scores beside ours, cased with cased and lower-cased with lower-cased."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llast.errors import ConfigError
from llast.report.inputs import Cells, Row

CASES = {"cased": "cased", "lower": "lower-cased", "unknown": "case not known"}
OURS = {"cased": "bleu", "lower": "bleu_lc"}
"""The metric of ours that a published score compares with; none where its case is not known."""


@dataclass(frozen=True)
class System:
    """Scores of one system by pair; `ours` where it is an experiment of this workflow."""

    name: str
    case: str
    sources: tuple[str, ...]
    bleu: dict[str, float]
    ours: bool = False


def read_published(path: Path, pairs: Sequence[str]) -> list[System]:
    """Read `published.csv` (system, pair, value, case, source), as far as it concerns `pairs`.

    Raises:
        ConfigError: a case other than cased, lower and unknown.
    """
    systems: dict[tuple[str, str], System] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, line in enumerate(csv.DictReader(file), 2):
            if line["case"] not in CASES:
                raise ConfigError(
                    f"{path}:{number}: case is '{line['case']}'; write one of {', '.join(CASES)}."
                )
            if line["pair"] in pairs:
                key = line["system"], line["case"]
                system = systems.setdefault(key, System(*key, (line["source"],), {}))
                system.bleu[line["pair"]] = float(line["value"])
    return list(systems.values())


def beside_ours(
    published: list[System], chosen: Sequence[Row], cells: Cells, names: dict[tuple[str, int], str]
) -> dict[str, list[System]]:
    """Published systems by case, each group led by our scores of that case (none where the case is not known)."""
    groups: dict[str, list[System]] = {}
    for case in CASES:
        systems = [system for system in published if system.case == case]
        if systems and case in OURS:
            pairs = sorted({pair for system in systems for pair in system.bleu})
            groups[case] = [_ours(row, case, pairs, cells, names[row.run]) for row in chosen]
        if systems:
            groups.setdefault(case, []).extend(systems)
    return groups


def _ours(row: Row, case: str, pairs: Sequence[str], cells: Cells, name: str) -> System:
    scores = {}
    for pair in pairs:
        cell = cells.get((*row.run, row.checkpoint, "test", pair))
        if cell is not None and cell.trained and OURS[case] in cell.metrics:
            scores[pair] = cell.metrics[OURS[case]]
    return System(name, case, (), scores, ours=True)
