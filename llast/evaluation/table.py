"""Gather the scores of all runs: a tidy list, a wide BLEU table, and the same to read."""

import csv
import io
from pathlib import Path
from typing import Any

from llast.artifacts import write_text
from llast.evaluation.checkpoints import (
    AVERAGES,
    CheckpointScores,
    RunScores,
    choose,
    read_checkpoints,
    read_runs,
)
from llast.evaluation.markdown import markdown_table
from llast.languages import PAIRS

__all__ = ["RunScores", "read_runs", "table"]

METRICS = {
    "bleu": "signature",
    "bleu_ci95_low": "signature",
    "bleu_ci95_high": "signature",
    "bleu_lc": "signature_lc",
    "bleu_char": "signature_char",
    "chrf2": "signature_chrf",
}
"""Metrics of `scores.csv` and where a score file keeps their signatures."""

TIDY_COLUMNS = (
    "experiment seed checkpoint step split pair trained metric value signature rows expected".split()
)
WIDE_COLUMNS = "experiment seed checkpoint step chosen".split()


def table(runs: list[RunScores], output: Path) -> None:
    """Write `scores.csv` (tidy), `bleu_table.csv` (wide) and `bleu_table.md` (to read) into the folder `output`.

    The wide table holds cased test BLEU: a row per experiment, seed and checkpoint, a column per pair in the order
    of `languages.PAIRS` and the averages of `AVERAGES`, taken over the pairs that the experiment trained on.
    Checkpoints are chosen on dev only.

    Raises:
        DataError: a score file is missing, doubled or broken.
    """
    rows = [read_checkpoints(run) for run in runs]
    chosen = [choose(checkpoints) for checkpoints in rows]
    every = [checkpoint for checkpoints in rows for checkpoint in checkpoints]
    pairs = _pairs(every)
    write_text(output / "scores.csv", _csv(TIDY_COLUMNS, _tidy(every)))
    write_text(output / "bleu_table.md", markdown_table(every, chosen, pairs))
    write_text(
        output / "bleu_table.csv", _csv([*WIDE_COLUMNS, *pairs, *AVERAGES], _wide(every, chosen, pairs))
    )


def _pairs(checkpoints: list[CheckpointScores]) -> list[str]:
    scored = {pair for checkpoint in checkpoints for scores in checkpoint.splits.values() for pair in scores}
    return [pair for pair in PAIRS if pair in scored]


def _wide(
    checkpoints: list[CheckpointScores], chosen: list[CheckpointScores], pairs: list[str]
) -> list[dict[str, object]]:
    return [
        {
            "experiment": row.run.experiment,
            "seed": row.run.seed,
            "checkpoint": row.checkpoint,
            "step": row.step,
            "chosen": _flag(row in chosen),
            **{pair: _number(row.bleu(pair), 2) for pair in pairs},
            **{name: _number(row.average(name), 2) for name in AVERAGES},
        }
        for row in checkpoints
    ]


def _tidy(checkpoints: list[CheckpointScores]) -> list[dict[str, object]]:
    return [
        {
            "experiment": row.run.experiment,
            "seed": row.run.seed,
            "checkpoint": row.checkpoint,
            "step": row.step,
            "split": split,
            "pair": pair,
            "trained": _flag(pair in row.run.trained_pairs),
            "metric": metric,
            "value": _number(value, 4),
            "signature": scores[pair].get(signature) or "",
            "rows": scores[pair]["rows"],
            "expected": scores[pair]["expected"],
        }
        for row in checkpoints
        for split, scores in sorted(row.splits.items())
        for pair in PAIRS
        if pair in scores
        for metric, signature in METRICS.items()
        if (value := _value(scores[pair], metric)) is not None
    ]


def _value(scores: dict[str, Any], metric: str) -> float | None:
    if metric.startswith("bleu_ci95"):
        interval = scores["bleu_ci95"]
        return None if interval is None else float(interval[metric.endswith("high")])
    value = scores.get(metric)
    return None if value is None else float(value)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _csv(columns: list[str], rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
