"""Scores of a run's checkpoints as MLflow metrics over training steps."""

from dataclasses import replace
from pathlib import Path

from mlflow.entities import Metric

from llast.results.checkpoints import AVERAGES, CheckpointScores, RunScores, choose, read_checkpoints

SPLITS = {"test": "", "dev": "dev_"}
"""Splits that are tracked, and what stands before the names of their metrics."""


def score_metrics(run: RunScores) -> list[Metric]:
    """Scores at their training steps: `bleu/{pair}`, `bleu/avg_x_en`, `bleu_lc/`, `chrf2/`, `wer/{language}`.

    Those of dev begin with `dev_`. Averages are of the BLEU that the run's tables show; `bleu/{pair}` is cased.

    MLflow's list of runs shows the value of the last step, which need not be the best checkpoint: `chosen/avg_x_en`
    and so on are test scores of the checkpoint that dev chose, `chosen/step` its training step (all logged at step
    0). The time of a metric is that of its score file, so that of a pair scored twice the later result counts.

    Raises:
        DataError: a score file is broken, or two are of the same checkpoint and split.
    """
    if not run.scores:
        return []
    best = choose(read_checkpoints(run))
    chosen = {name: best.average(name) for name in AVERAGES} | {"step": best.step}
    latest = max(_milliseconds(path) for path in run.scores)
    metrics = [
        Metric(f"chosen/{name}", float(value), latest, 0)
        for name, value in chosen.items()
        if value is not None
    ]
    for path in run.scores:
        (checkpoint,) = read_checkpoints(replace(run, scores=[path]))
        metrics += [
            Metric(name, value, _milliseconds(path), checkpoint.step)
            for name, value in _named(checkpoint).items()
        ]
    return metrics


def _milliseconds(path: Path) -> int:
    return int(path.stat().st_mtime * 1000)


def _named(checkpoint: CheckpointScores) -> dict[str, float]:
    """The scores of one checkpoint, by the name of their metric."""
    named: dict[str, float | None] = {}
    for split, scores in checkpoint.splits.items():
        prefix = SPLITS[split]
        named |= {f"{prefix}bleu/{pair}": score.get("bleu") for pair, score in scores.items()}
        named |= {f"{prefix}bleu_lc/{pair}": score.get("bleu_lc") for pair, score in scores.items()}
        named |= {f"{prefix}chrf2/{pair}": score.get("chrf2") for pair, score in scores.items()}
        errors = checkpoint.recognition.get(split, {})
        named |= {f"{prefix}{error['metric']}/{code}": error["value"] for code, error in errors.items()}
        named |= {f"{prefix}bleu/{name}": checkpoint.average(name, split) for name in AVERAGES}
    return {name: value for name, value in named.items() if value is not None}
