"""Published CoVoST-2 scores beside ours, cased with cased and lower-cased with lower-cased."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from llast.errors import ConfigError
from llast.languages import PAIRS, PAPER_X_EN
from llast.results.averages import HEADLINES

COLUMNS = ("system", "pair", "value", "case", "source")
CASES = {"cased": "cased", "lower": "lower-cased", "unknown": "case not known"}

OwnScores = Mapping[str, Mapping[str, Mapping[str, float]]]  # by run name, metric, pair


@dataclass(frozen=True)
class PublishedSystem:
    """Scores of one system by pair; `ours` where it is an experiment of this workflow."""

    name: str
    case: str
    sources: tuple[str, ...]
    bleu: Mapping[str, float]
    ours: bool = False

    @property
    def six(self) -> float | None:
        """Average over the paper's six pairs into English, where all are there."""
        values = [self.bleu[pair] for pair in PAPER_X_EN if pair in self.bleu]
        return fmean(values) if len(values) == len(PAPER_X_EN) else None


def read_published(path: Path, pairs: Sequence[str]) -> list[PublishedSystem]:
    """Read `published.csv` (`COLUMNS`), as far as it concerns `pairs`.

    Raises:
        ConfigError: no CSV file, a missing column, a case other than cased, lower and unknown, no pair, no number, no
            source.
    """
    systems: dict[tuple[str, str], tuple[list[str], dict[str, float]]] = {}
    for number, line in enumerate(_lines(path), 2):
        if line["case"] not in CASES:
            raise ConfigError(f"{path}:{number}: case is '{line['case']}'; write one of {', '.join(CASES)}.")
        if line["pair"] not in PAIRS:
            raise ConfigError(f"{path}:{number}: CoVoST-2 has no pair '{line['pair']}'.")
        if not line["source"]:
            raise ConfigError(f"{path}:{number}: no source. Say where the number stands.")
        try:
            value = float(line["value"])
        except (ValueError, TypeError):  # a short line has none
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(f"{path}:{number}: '{line['value']}' is no BLEU score.")
        if line["pair"] in pairs:
            sources, bleu = systems.setdefault((line["system"], line["case"]), ([], {}))
            bleu[line["pair"]] = value
            if line["source"] not in sources:
                sources.append(line["source"])
    return [
        PublishedSystem(name, case, tuple(sources), bleu) for (name, case), (sources, bleu) in systems.items()
    ]


def _lines(path: Path) -> list[dict[str, str]]:
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a file: name a CSV file with {', '.join(COLUMNS)}.")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (lines.fieldnames or ())]:
                raise ConfigError(f"{path}: no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}.")
            return list(lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no CSV file in UTF-8 ({error}). Save it as one.") from None


def beside_ours(published: Sequence[PublishedSystem], ours: OwnScores) -> dict[str, list[PublishedSystem]]:
    """Published systems by case, each group led by our scores of that case (none where the case is not known)."""
    groups: dict[str, list[PublishedSystem]] = {}
    for case in CASES:
        systems = [system for system in published if system.case == case]
        if systems:
            pairs = {pair for system in systems for pair in system.bleu}
            groups[case] = [*_ours(ours, case, pairs), *systems]
    return groups


def _ours(ours: OwnScores, case: str, pairs: set[str]) -> list[PublishedSystem]:
    metric = dict(HEADLINES).get(case)  # type: ignore[call-overload]
    return [
        PublishedSystem(
            name, case, (), {p: v for p, v in scores.get(metric, {}).items() if p in pairs}, ours=True
        )
        for name, scores in ours.items()
        if metric
    ]
