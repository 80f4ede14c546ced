"""What the report is made from: the tables, the runs and the rows that each step passed on."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import Summary, read_json
from llast.errors import DataError
from llast.results.checkpoints import AVERAGES
from llast.languages import PAIRS
from llast.training.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class Row:
    """A row of `bleu_table.csv`: test BLEU of one checkpoint, by pair and averaged; None where there is none."""

    experiment: str
    seed: int
    checkpoint: int
    step: int
    chosen: bool
    bleu: dict[str, float | None]
    averages: dict[str, float | None]

    @property
    def run(self) -> tuple[str, int]:
        """Experiment and seed."""
        return self.experiment, self.seed


@dataclass(frozen=True)
class Cell:
    """All scores of one checkpoint on one split of one pair."""

    metrics: dict[str, float]
    signatures: dict[str, str]
    trained: bool
    rows: int
    expected: int


Cells = dict[tuple[str, int, int, str, str], Cell]  # by experiment, seed, checkpoint, split, pair


@dataclass(frozen=True)
class Run:
    """A finished training run, or one that is not trained: its `run.json` and the records of its `metrics.jsonl`."""

    experiment: str
    seed: int
    description: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def key(self) -> tuple[str, int]:
        """Experiment and seed."""
        return self.experiment, self.seed

    @property
    def trained(self) -> bool:
        """Whether it was trained."""
        return bool(self.description["options"]["kind"] == "train")

    def series(self, metric: str) -> list[tuple[float, float]]:
        """Optimiser steps and values of a metric, where it was recorded."""
        return [(record["step"], record[metric]) for record in self.records if record.get(metric) is not None]


@dataclass(frozen=True)
class Stage:
    """Rows through one step of the workflow, added up over its languages."""

    name: str
    unit: str
    rows_in: int
    rows_out: int
    dropped: dict[str, int]


def read_table(path: Path) -> list[Row]:
    """Read `bleu_table.csv`."""
    return [
        Row(
            experiment=line["experiment"],
            seed=int(line["seed"]),
            checkpoint=int(line["checkpoint"]),
            step=int(line["step"]),
            chosen=line["chosen"] == "true",
            bleu={pair: _number(line[pair]) for pair in PAIRS if pair in line},
            averages={name: _number(line[name]) for name in AVERAGES},
        )
        for line in _lines(path)
    ]


def read_scores(path: Path) -> Cells:
    """Read the tidy `scores.csv`."""
    cells: Cells = {}
    for line in _lines(path):
        if line["pair"] not in PAIRS:
            continue  # an error rate of transcripts, which has a language in its place
        key = (line["experiment"], int(line["seed"]), int(line["checkpoint"]), line["split"], line["pair"])
        if key not in cells:
            cells[key] = Cell({}, {}, line["trained"] == "true", int(line["rows"]), int(line["expected"]))
        cells[key].metrics[line["metric"]] = float(line["value"])
        cells[key].signatures[line["metric"]] = line["signature"]
    return cells


def read_run(path: Path) -> Run:
    """Read a `run.json` and the training records beside it; a half-written last record is left out."""
    description = read_json(path)
    folder = RunFolder(path.parent / (description["folder"] or ""))
    records = [record.model_dump(exclude_none=True) for record in folder.records()]
    return Run(description["experiment"], description["seed"], description, records)


UNITS = {"resample": "clips", "join": "table rows", "filter": "rows", "mix": "training rows"}


def stages(corpus: Iterable[Summary], mixes: dict[str, Summary]) -> list[Stage]:
    """The funnel: resample, join and filter added up over languages, then each experiment's mixture."""
    by_step: dict[str, list[Summary]] = {}
    for summary in corpus:
        by_step.setdefault(summary.step, []).append(summary)
    shared = [_stage(step, step, by_step[step]) for step in UNITS if step in by_step]
    return shared + [_stage("mix", f"mix: {name}", [summary]) for name, summary in mixes.items()]


def _stage(step: str, name: str, summaries: list[Summary]) -> Stage:
    dropped: Counter[str] = Counter()
    for summary in summaries:
        dropped.update(summary.dropped)
    return Stage(
        name=name,
        unit=UNITS[step],
        rows_in=sum(summary.rows_in for summary in summaries),
        rows_out=sum(summary.rows_out for summary in summaries),
        dropped={
            reason: count
            for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
            if count
        },
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Run the step table first.") from None
