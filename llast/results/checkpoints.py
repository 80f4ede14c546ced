"""The one reader of results: runs and score files, as checkpoints and as a table of every score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from llast.artifacts.run import Run
from llast.artifacts.scores import PairScores, ScoreFile, SetScores
from llast.artifacts.summaries import Split
from llast.corpus.official import official_table
from llast.errors import DataError
from llast.evaluation.metrics import METRICS
from llast.languages import PAIRS, X_EN
from llast.results.averages import AVERAGES, HEADLINES, WHOLE, Case

KEY = ["experiment", "seed", "checkpoint"]
COLUMNS = [*KEY, "step", "split", "pair", "trained", "metric", "value", "signature", "rows", "expected"]
"""Columns of the table of every score."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What one checkpoint scores.

    Attributes:
        run: the run that it is of.
        number: from 1.
        step: optimiser steps done.
        chosen: whether its run is known by it, see `Results`.
        by_dev: whether it was its score on dev that it was chosen by; else it is the last.
        files: its score files, by split.
        paths: where these lie.
        bleu: test BLEU in the case that tables show, by pair, where there is one.
        averages: those of it, by name of `AVERAGES`.
        dev_averages: likewise of dev.
    """

    run: Run
    number: int
    step: int
    chosen: bool
    by_dev: bool
    files: Mapping[Split, ScoreFile]
    paths: Mapping[Split, Path]
    bleu: Mapping[str, float]
    averages: Mapping[str, float]
    dev_averages: Mapping[str, float]

    @property
    def test(self) -> Mapping[str, PairScores]:
        """Scores of the test split by pair; none where it was not scored."""
        return self.files["test"].pairs if "test" in self.files else {}

    @property
    def test_transcripts(self) -> Mapping[str, SetScores]:
        """Scores of test transcripts by spoken language."""
        return self.files["test"].transcripts if "test" in self.files else {}

    @property
    def dev_average(self) -> float | None:
        """What a checkpoint is chosen by: the dev average over trained X->En pairs, or else over trained En->X."""
        return self.dev_averages.get(_direction(self.run))

    def official(self, pair: str) -> bool:
        """Whether a pair was scored on all rows of a test set as large as CoVoST-2's own."""
        scores = self.test.get(pair)
        return scores is not None and scores.rows == scores.expected == int(official_table()[pair]["test"])

    def trained_on(self, pair: str) -> bool:
        """Whether a pair counts in its averages."""
        return pair in self.run.trained_pairs


@dataclass(frozen=True)
class Results:
    """All that a workflow has scored.

    Attributes:
        runs: the runs, in the order in which they were named.
        case: the BLEU that counts.
        checkpoints: all of them, run after run. Of each run the one with the best dev average is chosen; the earlier
            of equals; the last one where no dev set was scored (`dev_sets: false` of the corpus).
        scores: every score, a row each, see `COLUMNS`; faults (`faults_...`) and ends of intervals
            (`..._ci95_low`, `..._ci95_high`) among the metrics. Scores of transcripts have the spoken language in
            place of a pair, and `trained` is None.
        wide: test BLEU in that case by experiment, seed and checkpoint: a column per pair and average, NaN for none.
    """

    runs: Sequence[Run]
    case: Case
    checkpoints: Sequence[Checkpoint]
    scores: pd.DataFrame
    wide: pd.DataFrame

    @property
    def headline(self) -> str:
        """Name of the metric that counts."""
        return HEADLINES[self.case]

    @cached_property
    def chosen(self) -> list[Checkpoint]:
        """The checkpoints that stand for their runs, in order."""
        return [checkpoint for checkpoint in self.checkpoints if checkpoint.chosen]

    @property
    def choice(self) -> str:
        """How the chosen checkpoints were chosen, in words."""
        if all(checkpoint.by_dev for checkpoint in self.chosen):
            return "chosen on dev"
        if not any(checkpoint.by_dev for checkpoint in self.chosen):
            return "the last of each run: dev has no scores to choose by"
        return "chosen on dev, or the last of a run without scores on dev"

    @cached_property
    def pairs(self) -> list[str]:
        """Pairs that any checkpoint has scores of."""
        scored = {pair for c in self.checkpoints for file in c.files.values() for pair in file.pairs}
        return [pair for pair in PAIRS if pair in scored]

    @cached_property
    def official_pairs(self) -> list[str]:
        """Pairs of which a chosen checkpoint has a score on CoVoST-2's own test set."""
        return [pair for pair in self.pairs if any(checkpoint.official(pair) for checkpoint in self.chosen)]

    @cached_property
    def names(self) -> dict[tuple[str, int], str]:
        """How runs are called, by experiment and seed: by experiment, with the seed where there are several."""
        several = len({run.seed for run in self.runs}) > 1
        return {
            run.key: f"{run.experiment} seed {run.seed}" if several else run.experiment for run in self.runs
        }

    @cached_property
    def by_experiment(self) -> dict[str, list[Checkpoint]]:
        """The chosen checkpoints of each experiment's seeds."""
        found: dict[str, list[Checkpoint]] = {}
        for checkpoint in self.chosen:
            found.setdefault(checkpoint.run.experiment, []).append(checkpoint)
        return found

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """Chosen checkpoints over seeds: rows (experiment, `mean` or `std`), columns those of `wide`.

        NaN where a seed has no value, for a mean over the others would not compare; the sample standard deviation of
        one seed is NaN.
        """
        keys = [(*checkpoint.run.key, checkpoint.number) for checkpoint in self.chosen]
        groups = self.wide.loc[keys].groupby("experiment", sort=False)
        complete = groups.count().eq(groups.size(), axis=0)
        found = pd.concat({"mean": groups.mean(), "std": groups.std()}, names=["statistic"])
        found = found.where(pd.concat({"mean": complete, "std": complete}, names=["statistic"]))
        return found.swaplevel().reindex([(name, what) for name in groups.groups for what in ("mean", "std")])


def read_results(runs: Sequence[Path], scores: Sequence[Path], case: Case = "cased") -> Results:
    """Read runs with their score files.

    Args:
        runs: `run.json` of each run.
        scores: files of the step `score`, of any of these runs, checkpoints and splits.
        case: the BLEU that tables show, checkpoints are chosen by and is averaged.

    Raises:
        DataError: a file is broken; a run twice; scores of a run that is not among `runs`, or of a checkpoint and
            split that has others; a run without scores, or with dev sets that say nothing of its checkpoints.
    """
    by_key: dict[tuple[str, int], Run] = {}
    for path in runs:
        run = Run.read(path)
        if run.key in by_key:
            raise DataError(
                f"{path} is of {run.experiment} seed {run.seed}, as another one. Name each run once."
            )
        by_key[run.key] = run
    files: dict[tuple[str, int, int], dict[Split, ScoreFile]] = {}
    paths: dict[tuple[str, int, int], dict[Split, Path]] = {}
    for path in scores:
        file = ScoreFile.read(path)
        _check_metrics(path, file)
        key = (file.experiment, file.seed, file.checkpoint)
        if key[:2] not in by_key:
            raise DataError(f"{path} scores {file.experiment} seed {file.seed}, which is not among the runs.")
        if file.split in files.setdefault(key, {}):
            other = paths[key][file.split]
            raise DataError(f"{path} and {other} are both of checkpoint {file.checkpoint} on {file.split}.")
        files[key][file.split] = file
        paths.setdefault(key, {})[file.split] = path
    for run in by_key.values():
        if not any(key[:2] == run.key for key in files):
            raise DataError(
                f"{run.experiment} seed {run.seed} has no scores. Run the step score for it first."
            )
    files = {key: dict(sorted(of_key.items())) for key, of_key in files.items()}
    order = sorted(files, key=lambda key: (list(by_key).index(key[:2]), key[2]))
    table = pd.DataFrame(
        [row for key in order for file in files[key].values() for row in _rows(by_key[key[:2]], file)],
        columns=COLUMNS,
    )
    index = pd.MultiIndex.from_tuples(order, names=KEY)
    wide = {split: _wide(table, HEADLINES[case], split, by_key, index) for split in ("dev", "test")}
    dev = {key: _values(wide["dev"].loc[key], AVERAGES) for key in order}
    chosen = {_choose(run, [key for key in order if key[:2] == run.key], dev) for run in by_key.values()}
    for run in by_key.values():
        _require_choice(run, [key for key in order if key[:2] == run.key], files, dev)
    checkpoints = [
        Checkpoint(
            run=by_key[key[:2]],
            number=key[2],
            step=next(iter(files[key].values())).step,
            chosen=key in chosen,
            by_dev=key in chosen and _direction(by_key[key[:2]]) in dev[key],
            files=files[key],
            paths=paths[key],
            bleu=_values(wide["test"].loc[key], PAIRS),
            averages=_values(wide["test"].loc[key], AVERAGES),
            dev_averages=dev[key],
        )
        for key in order
    ]
    return Results(list(by_key.values()), case, checkpoints, table, wide["test"])


def _check_metrics(path: Path, file: ScoreFile) -> None:
    for field, of, sets in (
        ("pairs", "translations", file.pairs),
        ("transcripts", "transcripts", file.transcripts),
    ):
        for name, scores in sets.items():
            for metric, score in scores.metrics.items():
                known = METRICS.get(metric)
                if known is None or known.of != of or not (score is None or known.takes(score)):
                    value = score and (score.value, *(score.interval or ()))
                    raise ScoreFile.broken(
                        path, f"'{field}.{name}.metrics.{metric}': {value} is no score of {of} that is known"
                    )


def _direction(run: Run) -> str:
    return "avg_x_en" if set(run.trained_pairs) & set(X_EN) else "avg_en_x"


def _require_choice(
    run: Run,
    keys: Sequence[tuple[str, int, int]],
    files: Mapping[tuple[str, int, int], Mapping[Split, ScoreFile]],
    dev: Mapping[tuple[str, int, int], Mapping[str, float]],
) -> None:
    """Refuse to take the last checkpoint where there are dev scores, but none to choose by: it has to be asked for."""
    scored = [files[key]["dev"] for key in keys if "dev" in files[key]]
    if len(keys) < 2 or not scored or any(_direction(run) in dev[key] for key in keys):
        return
    without = [
        pair
        for pair in run.trained_pairs
        if not any(pair in file.pairs and file.pairs[pair].scored for file in scored)
    ]
    raise DataError(
        f"{run.experiment} seed {run.seed}: no checkpoint can be chosen on dev, which has no score of "
        f"{', '.join(without)}. Complete these dev sets, or set dev_sets: false in the corpus's file: the last "
        "checkpoint is then taken."
    )


def _choose(
    run: Run,
    keys: Sequence[tuple[str, int, int]],
    dev: Mapping[tuple[str, int, int], Mapping[str, float]],
) -> tuple[str, int, int] | None:
    name = _direction(run)
    scored = [key for key in keys if name in dev[key]]
    if not scored:
        return keys[-1] if keys else None
    return max(scored, key=lambda key: (dev[key][name], -key[2]))


def _rows(run: Run, file: ScoreFile) -> Iterator[list[Any]]:
    about = [run.experiment, run.seed, file.checkpoint, file.step, file.split]
    for pair in (pair for pair in PAIRS if pair in file.pairs):
        scores = file.pairs[pair]
        yield from _metric_rows([*about, pair, pair in run.trained_pairs], scores)
        for fault, count in scores.faults.items() if scores.rows else ():
            yield [
                *about,
                pair,
                pair in run.trained_pairs,
                f"faults_{fault}",
                count,
                "",
                scores.rows,
                scores.expected,
            ]
    for code, transcripts in file.transcripts.items():
        yield from _metric_rows([*about, code, None], transcripts)


def _metric_rows(about: list[Any], scores: SetScores) -> Iterator[list[Any]]:
    for name, score in scores.scored.items():
        counts = [score.signature, scores.rows, scores.expected]
        yield [*about, name, score.value, *counts]
        for end, value in zip(("low", "high"), score.interval or (), strict=False):
            yield [*about, f"{name}_ci95_{end}", value, *counts]


def _wide(
    table: pd.DataFrame,
    headline: str,
    split: str,
    runs: Mapping[tuple[str, int], Run],
    index: pd.MultiIndex,
) -> pd.DataFrame:
    """BLEU by checkpoint, a column per pair and average; NaN for an average without one of its trained pairs."""
    bleu = table[(table["metric"] == headline) & (table["split"] == split)]
    found = bleu.pivot(index=KEY, columns="pair", values="value").reindex(index)
    trained = bleu[bleu["trained"].eq(True)]
    for name, pairs in AVERAGES.items():
        trained_pairs = {key: set(pairs) & set(run.trained_pairs) for key, run in runs.items()}
        wanted = [len(pairs) if name in WHOLE else len(trained_pairs[key[:2]]) for key in index]
        own = trained[trained["pair"].isin(pairs)].groupby(KEY)["value"].agg(["mean", "count"]).reindex(index)
        found[name] = own["mean"].where(own["count"] == wanted)
    return found.reindex(columns=[*(pair for pair in PAIRS if pair in found), *AVERAGES])


def _values(row: pd.Series, names: Sequence[str] | Mapping[str, Any]) -> dict[str, float]:
    return {name: float(row[name]) for name in names if name in row and pd.notna(row[name])}
