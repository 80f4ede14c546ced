"""What the page says about scores, derived from the tables and the score files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from llast.results.checkpoints import AVERAGES, HEADLINES, CheckpointScores
from llast.evaluation.faults import KINDS
from llast.results.published import OwnScores
from llast.results.sections import significance
from llast.results.table import read_comparisons
from llast.languages import EN_X, LANGUAGES, PAIRS, X_EN
from llast.results.report.inputs import Cells, Row


@dataclass(frozen=True)
class Best:
    """The run with the highest average test BLEU over the pairs that every run trained on."""

    row: Row
    average: float
    pairs: list[str]
    direction: str


def best_run(chosen: list[Row], cells: Cells) -> Best | None:
    """The best of the chosen checkpoints into English, or out of it where no such pair was trained by all."""
    for direction, candidates in (("into", X_EN), ("out of", EN_X)):
        scored = [
            {pair: cells.get((*row.run, row.checkpoint, "test", pair)) for pair in candidates}
            for row in chosen
        ]
        pairs = [pair for pair in candidates if all((cell := own[pair]) and cell.trained for own in scored)]
        if pairs:
            averages = [fmean(row.bleu[pair] or 0.0 for pair in pairs) for row in chosen]
            highest = max(range(len(chosen)), key=averages.__getitem__)
            return Best(chosen[highest], averages[highest], pairs, direction)
    return None


def directions(rows: list[Row], pairs: list[str]) -> list[tuple[str, list[str], list[str]]]:
    """Title, averages and pairs of each direction that was scored."""
    into = [
        name
        for name in AVERAGES
        if name != "avg_en_x" and any(row.averages[name] is not None for row in rows)
    ]
    out = [name for name in ("avg_en_x",) if any(row.averages[name] is not None for row in rows)]
    found = [
        ("Into English", into, [pair for pair in pairs if pair in X_EN]),
        ("Out of English", out, [pair for pair in pairs if pair in EN_X]),
    ]
    return [direction for direction in found if direction[2]]


def average_counts(chosen: list[Row], cells: Cells) -> dict[tuple[str, int], tuple[int, int]] | None:
    """Pairs into and out of English that each run trained on, or None where all trained on the same."""
    trained = {
        row.run: [pair for (*key, split, pair), cell in cells.items()
                  if (key, split) == ([*row.run, row.checkpoint], "test") and cell.trained]
        for row in chosen
    }  # fmt: skip
    if len({tuple(pairs) for pairs in trained.values()}) == 1:
        return None
    return {run: (len(set(pairs) & set(X_EN)), len(set(pairs) & set(EN_X))) for run, pairs in trained.items()}


def dev_averages(row: Row, cells: Cells, metric: str) -> dict[str, float]:
    """Average dev BLEU of a checkpoint, by average of `AVERAGES`."""
    averages = {}
    for name in ("avg_x_en", "avg_en_x"):
        found = [cells.get((*row.run, row.checkpoint, "dev", pair)) for pair in AVERAGES[name]]
        values = [cell.metrics[metric] for cell in found if cell is not None and cell.trained]
        if values:
            averages[name] = fmean(values)
    return averages


def signatures(cells: Cells) -> dict[str, dict[str, list[str]]]:
    """Test signatures by metric, each with the pairs that it was used for."""
    found: dict[str, dict[str, list[str]]] = {}
    for (*_, split, pair), cell in cells.items():
        for metric, signature in cell.signatures.items():
            if (
                not signature or "_ci95_" in metric
            ):  # counts of faults have none, intervals that of their score
                continue
            users = found.setdefault(metric, {}).setdefault(signature, [])
            if split == "test" and pair in PAIRS and pair not in users:
                users.append(pair)
    return {
        metric: {s: sorted(users, key=PAIRS.index) for s, users in by_signature.items() if users}
        for metric, by_signature in found.items()
    }


def own_scores(chosen: list[Row], cells: Cells, names: dict[tuple[str, int], str]) -> OwnScores:
    """Test BLEU of the chosen checkpoints by run, metric and pair, as far as the pairs were trained on."""
    return {
        names[row.run]: {
            metric: {
                pair: cell.metrics[metric]
                for pair in row.bleu
                if (cell := cells.get((*row.run, row.checkpoint, "test", pair)))
                and cell.trained
                and metric in cell.metrics
            }
            for metric in HEADLINES.values()
        }
        for row in chosen
    }


def exact(rows: list[Row], every: list[CheckpointScores]) -> list[Row]:
    """The table's rows with all digits: a number rounded twice may differ from the table's in the last one."""
    scores = {(s.run.experiment, s.run.seed, s.checkpoint): s for s in every}
    return [
        replace(
            row,
            bleu={pair: scores[*row.run, row.checkpoint].bleu(pair) for pair in row.bleu},
            averages={name: scores[*row.run, row.checkpoint].average(name) for name in row.averages},
        )
        for row in rows
    ]


def marks(scored: Sequence[CheckpointScores], comparisons: Sequence[Path]) -> dict[tuple[str, int, str], str]:
    """Marks of significance by experiment, seed and pair."""
    found = read_comparisons(comparisons)
    return {
        (row.run.experiment, row.run.seed, pair): mark
        for row in scored
        for pair in row.splits.get("test", {})
        if (mark := significance([row], pair, found))
    }


def faults(chosen: list[Row], cells: Cells) -> dict[tuple[str, int], dict[str, tuple[int, int]]]:
    """Hypotheses of each chosen checkpoint with a fault, and of how many, by kind, over all test pairs."""
    found = {}
    for row in chosen:
        own = [cells.get((*row.run, row.checkpoint, "test", pair)) for pair in row.bleu]
        scored = [cell for cell in own if cell is not None]
        total = sum(cell.rows for cell in scored)
        found[row.run] = {
            kind: (int(sum(cell.metrics.get(f"faults_{kind}", 0) for cell in scored)), total)
            for kind in KINDS
        }
    return found


def recognition(scored: list[CheckpointScores]) -> dict[str, dict[tuple[str, int], dict[str, Any]]]:
    """Error rates of test transcripts by spoken language and run, where there are any."""
    found: dict[str, dict[tuple[str, int], dict[str, Any]]] = {}
    for row in scored:
        for code, errors in row.recognition.get("test", {}).items():
            found.setdefault(code, {})[row.run.experiment, row.run.seed] = errors
    return {code: found[code] for code in LANGUAGES if code in found}
