"""Scores of a run's checkpoints: averages over pairs, and the choice of a checkpoint on dev."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from llast.artifacts import read_json
from llast.errors import DataError
from llast.languages import EN_X, LANGUAGES, PAPER_X_EN, X_EN, split_pair

AVERAGES: dict[str, tuple[str, ...]] = {
    "avg_x_en": X_EN,
    "avg_en_x": EN_X,
    "avg_x_en_6": PAPER_X_EN,
    **{
        f"avg_{resource}": tuple(pair for pair in X_EN if LANGUAGES[split_pair(pair)[0]].resource == resource)
        for resource in ("high", "mid", "low")
    },
}
"""Averages of the BLEU table and their pairs; high, mid and low are the resource classes of X->En."""

WHOLE = ("avg_x_en_6",)
"""Averages that only mean something over all of their pairs."""

Case = Literal["cased", "lower"]
HEADLINES: dict[Case, str] = {"cased": "bleu", "lower": "bleu_lc"}
"""The metric that tables show, checkpoints are chosen by and experiments are compared by."""

Scores = dict[str, dict[str, Any]]  # of a split, by pair: what the step `score` wrote


@dataclass(frozen=True)
class RunScores:
    """The score files of one experiment and seed.

    Attributes:
        experiment: name of the experiment.
        seed: its seed.
        trained_pairs: the pairs that it trained on.
        scores: files of the step `score`, of any checkpoints and splits.
        metric: what BLEU is for it, of `HEADLINES`.
    """

    experiment: str
    seed: int
    trained_pairs: Sequence[str]
    scores: Sequence[Path]
    metric: str = "bleu"


@dataclass(frozen=True)
class CheckpointScores:
    """What one checkpoint of a run scores, on dev and on test; `recognition` by split and spoken language."""

    run: RunScores
    checkpoint: int
    step: int
    splits: dict[str, Scores] = field(default_factory=dict)
    recognition: dict[str, Scores] = field(default_factory=dict)

    def bleu(self, pair: str, split: str = "test") -> float | None:
        """BLEU in the case that tables show, or None where the pair was not scored."""
        value = self.splits.get(split, {}).get(pair, {}).get(self.run.metric)
        return None if value is None else float(value)

    def average(self, name: str, split: str = "test") -> float | None:
        """Mean BLEU over those pairs of an average of `AVERAGES` that the run trained on.

        None without such a pair, where one of them has no score (a mean over the others would not compare), and
        for the averages in `WHOLE` unless all their pairs were trained.
        """
        pairs = [pair for pair in AVERAGES[name] if pair in self.run.trained_pairs]
        values = [self.bleu(pair, split) for pair in pairs]
        found = [value for value in values if value is not None]
        if not pairs or len(found) < len(pairs) or (name in WHOLE and len(pairs) < len(AVERAGES[name])):
            return None
        return sum(found) / len(found)

    @cached_property
    def dev_average(self) -> float | None:
        """What a checkpoint is chosen by: the dev average over trained X->En pairs, or else over trained En->X."""
        direction = "avg_x_en" if set(self.run.trained_pairs) & set(X_EN) else "avg_en_x"
        return self.average(direction, "dev")


def read_runs(runs: list[Path], scores: list[Path], case: Case = "cased") -> list[RunScores]:
    """Match score files with the `run.json` of their experiment and seed, in the order of the runs.

    Raises:
        DataError: scores of a run that is not among `runs`, or a run without scores.
    """
    files: dict[tuple[str, int], list[Path]] = {}
    read = [read_json(path) for path in runs]
    for run in read:
        files[run["experiment"], run["seed"]] = []
    for path in scores:
        value = read_json(path)
        if (value["experiment"], value["seed"]) not in files:
            raise DataError(
                f"{path} scores {value['experiment']} seed {value['seed']}, which is not among the runs."
            )
        files[value["experiment"], value["seed"]].append(path)
    return [
        RunScores(
            run["experiment"],
            run["seed"],
            run["trained_pairs"],
            files[run["experiment"], run["seed"]],
            HEADLINES[case],
        )
        for run in read
    ]


def read_checkpoints(run: RunScores) -> list[CheckpointScores]:
    """The checkpoints of a run in order.

    Raises:
        DataError: the run has no score file, or two for the same checkpoint and split.
    """
    found: dict[int, CheckpointScores] = {}
    for path in run.scores:
        value = read_json(path)
        checkpoint = found.setdefault(
            value["checkpoint"], CheckpointScores(run, value["checkpoint"], value["step"])
        )
        if value["split"] in checkpoint.splits:
            raise DataError(
                f"{path}: checkpoint {checkpoint.checkpoint} has two score files of {value['split']}."
            )
        checkpoint.splits[value["split"]] = value["pairs"]
        checkpoint.recognition[value["split"]] = value.get("recognition", {})
    if not found:
        raise DataError(f"{run.experiment} seed {run.seed} has no scores. Run the step score for it first.")
    return [found[key] for key in sorted(found)]


def choose(checkpoints: list[CheckpointScores]) -> CheckpointScores:
    """The checkpoint with the best dev average; the earlier of equals; the last one where dev says nothing."""
    scored = [c for c in checkpoints if c.dev_average is not None]
    return max(scored, key=lambda c: (c.dev_average, -c.checkpoint)) if scored else checkpoints[-1]


@dataclass(frozen=True)
class Spread:
    """A value over the seeds of an experiment: mean, standard deviation (None for one seed), number of seeds."""

    mean: float
    deviation: float | None
    seeds: int


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and sample standard deviation; None where a seed has no value: a mean over the others would not compare."""
    found = [value for value in values if value is not None]
    if not values or len(found) < len(values):
        return None
    return Spread(fmean(found), stdev(found) if len(found) > 1 else None, len(found))


def by_experiment(chosen: Sequence[CheckpointScores]) -> dict[str, list[CheckpointScores]]:
    """The chosen checkpoints of each experiment's seeds, in order."""
    found: dict[str, list[CheckpointScores]] = {}
    for row in chosen:
        found.setdefault(row.run.experiment, []).append(row)
    return found
