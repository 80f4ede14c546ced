"""How runs were trained: their records, and the options in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from llast.artifacts.run import Run
from llast.artifacts.training import TrainingRecord
from llast.training.run_folder import RunFolder


@dataclass(frozen=True)
class TrainingCurve:
    """A run with the records of its steps; none where nothing was trained or recorded."""

    run: Run
    records: Sequence[TrainingRecord]

    def series(self, metric: str) -> list[tuple[float, float]]:
        """Optimiser steps and values of a metric, where it was recorded."""
        points = ((record.step, getattr(record, metric)) for record in self.records)
        return [(step, value) for step, value in points if value is not None]

    @property
    def speed(self) -> float | None:
        """Target tokens a second, the median over steps."""
        values = [value for _, value in self.series("target_tokens_per_s")]
        return median(values) if values else None


def read_curve(run: Run, path: Path) -> TrainingCurve:
    """The records of a run whose `run.json` is at `path`.

    Raises:
        DataError: a record is broken.
    """
    records = RunFolder(path.parent / run.folder).records() if run.folder else []
    return TrainingCurve(run, records)


def varying_options(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Options in which runs differ, by dotted key, with each run's value; empty where it has none."""
    flat = [flat_options(run.model_options()) for run in runs]
    keys = sorted({key for options in flat for key in options})
    values = {key: [options.get(key, "") for options in flat] for key in keys}
    return {key: of_runs for key, of_runs in values.items() if len(set(of_runs)) > 1}


def flat_options(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested options by dotted key, as text; lists are joined by spaces, what is not set is left out."""
    flat = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat.update(flat_options(item, f"{prefix}{key}."))
        elif item is not None:
            flat[f"{prefix}{key}"] = " ".join(map(str, item)) if isinstance(item, list) else str(item)
    return flat
