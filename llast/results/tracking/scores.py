"""Scores of a run's checkpoints as MLflow metrics over training steps."""

from collections.abc import Sequence
from pathlib import Path

from mlflow.entities import Metric

from llast.artifacts.summaries import Split
from llast.results.checkpoints import Checkpoint

PREFIXES: dict[Split, str] = {"test": "", "dev": "dev_"}
"""What stands before the names of a split's metrics."""


def score_metrics(checkpoints: Sequence[Checkpoint]) -> list[Metric]:
    """Scores of a run at their training steps: `bleu/{pair}`, `bleu/avg_x_en`, `chrf2/{pair}`, `wer/{language}`, ...

    Those of dev begin with `dev_`. Averages are of the BLEU that the run's tables show; `bleu/{pair}` is cased.

    MLflow's list of runs shows the value of the last step, which need not be the best checkpoint: `chosen/avg_x_en`
    and so on are test scores of the checkpoint that stands for it, `chosen/step` its training step (all logged at step
    0). The time of a metric is that of its score file, so that of a pair scored twice the later result counts.
    """
    latest = max(_milliseconds(path) for checkpoint in checkpoints for path in checkpoint.paths.values())
    metrics = [
        Metric(f"chosen/{name}", float(value), latest, 0)
        for checkpoint in checkpoints
        if checkpoint.chosen
        for name, value in {**checkpoint.averages, "step": checkpoint.step}.items()
    ]
    for checkpoint in checkpoints:
        for split, file in checkpoint.files.items():
            named = {
                f"{metric}/{name}": score.value
                for name, scores in (*file.pairs.items(), *file.transcripts.items())
                for metric, score in scores.scored.items()
            }
            averages = checkpoint.averages if split == "test" else checkpoint.dev_averages
            named |= {f"bleu/{name}": value for name, value in averages.items()}
            time = _milliseconds(checkpoint.paths[split])
            metrics += [
                Metric(f"{PREFIXES[split]}{name}", value, time, checkpoint.step)
                for name, value in named.items()
            ]
    return metrics


def _milliseconds(path: Path) -> int:
    return int(path.stat().st_mtime * 1000)
