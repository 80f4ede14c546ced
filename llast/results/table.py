"""Gather the scores of all runs: a tidy list, a wide BLEU table, the spread over seeds, and the same to read."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llast.artifacts import read_json, write_text
from llast.results.checkpoints import (
    AVERAGES,
    Case,
    CheckpointScores,
    RunScores,
    by_experiment,
    choose,
    read_checkpoints,
    read_runs,
    spread,
)
from llast.results.markdown import as_html, as_markdown
from llast.evaluation.faults import KINDS
from llast.results.published import read_published
from llast.results.sections import Comparisons, sections
from llast.languages import PAIRS

__all__ = ["RunScores", "read_runs", "table"]

METRICS = {
    "bleu": "signature",
    "bleu_ci95_low": "signature",
    "bleu_ci95_high": "signature",
    "bleu_lc": "signature_lc",
    "bleu_lc_ci95_low": "signature_lc",
    "bleu_lc_ci95_high": "signature_lc",
    "bleu_char": "signature_char",
    "chrf2": "signature_chrf",
    "comet": "signature_comet",
}
"""Metrics of `scores.csv` and where a score file keeps their signatures."""

TIDY_COLUMNS = (
    "experiment seed checkpoint step split pair trained metric value signature rows expected".split()
)
WIDE_COLUMNS = "experiment seed checkpoint step chosen".split()
SEED_COLUMNS = "experiment seeds statistic".split()


def gather(
    runs: list[Path],
    scores: list[Path],
    output: Path,
    comparisons: Sequence[Path] = (),
    published: Path | None = None,
    case: Case = "cased",
) -> None:
    """The step `table`: `table` of the runs in files.

    Args:
        runs: `run.json` of each run.
        scores: score files of their checkpoints.
        output: folder to write to.
        comparisons: files of the step `compare`.
        published: CSV of published scores to set beside ours; None leaves them out.
        case: the BLEU that counts.

    Raises:
        DataError: a file is missing, doubled or broken.
    """
    table(read_runs(runs, scores, case), output, comparisons, published)


def table(
    runs: list[RunScores],
    output: Path,
    comparisons: Sequence[Path] = (),
    published: Path | None = None,
) -> None:
    """Write `scores.csv`, `bleu_table.csv`, `bleu_seeds.csv`, `bleu_table.md` and `.html` into the folder `output`.

    `scores.csv` is tidy: every metric of every checkpoint, split and pair, `faults_*` among them; error rates of
    transcripts have the spoken language in place of a pair. The wide `bleu_table.csv` holds test BLEU, in the case
    that the runs say: a row per experiment, seed and checkpoint, a column per pair in the order of `languages.PAIRS`
    and the averages of `AVERAGES`, taken over the pairs that the experiment trained on. `bleu_seeds.csv` has mean and
    standard deviation over seeds. Checkpoints are chosen on dev only.

    Args:
        runs: the runs with their score files.
        output: folder to write to.
        comparisons: files of the step `compare`.
        published: CSV of published scores to set beside ours; None leaves them out.

    Raises:
        DataError: a score file is missing, doubled or broken.
    """
    rows = [read_checkpoints(run) for run in runs]
    chosen = [choose(checkpoints) for checkpoints in rows]
    every = [checkpoint for checkpoints in rows for checkpoint in checkpoints]
    pairs = _pairs(every)
    known = read_published(published, pairs) if published else []
    page = sections(every, chosen, pairs, read_comparisons(comparisons), known)
    write_text(output / "scores.csv", _csv(TIDY_COLUMNS, list(_tidy(every))))
    write_text(output / "bleu_seeds.csv", _csv([*SEED_COLUMNS, *pairs, *AVERAGES], _seeds(chosen, pairs)))
    write_text(output / "bleu_table.md", as_markdown(page))
    write_text(output / "bleu_table.html", as_html(page))
    write_text(
        output / "bleu_table.csv", _csv([*WIDE_COLUMNS, *pairs, *AVERAGES], _wide(every, chosen, pairs))
    )


def read_comparisons(paths: Sequence[Path]) -> Comparisons:
    """What the step `compare` found, by experiment and seed."""
    read = [read_json(path) for path in paths]
    return {(value["experiment"], value["seed"]): value for value in read}


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


def _seeds(chosen: list[CheckpointScores], pairs: list[str]) -> list[dict[str, object]]:
    """Mean and standard deviation of each experiment's chosen checkpoints, a row each."""
    rows: list[dict[str, object]] = []
    for experiment, seeds in by_experiment(chosen).items():
        spreads = {pair: spread([row.bleu(pair) for row in seeds]) for pair in pairs}
        spreads |= {name: spread([row.average(name) for row in seeds]) for name in AVERAGES}
        first: dict[str, object] = {"experiment": experiment, "seeds": len(seeds)}
        for statistic in ("mean", "deviation"):
            values = {key: getattr(found, statistic, None) for key, found in spreads.items()}
            rows.append(first | {"statistic": statistic} | {key: _number(v, 2) for key, v in values.items()})
    return rows


def _tidy(checkpoints: list[CheckpointScores]) -> Iterator[dict[str, object]]:
    for row in checkpoints:
        first = {
            "experiment": row.run.experiment,
            "seed": row.run.seed,
            "checkpoint": row.checkpoint,
            "step": row.step,
        }
        for split, scores in sorted(row.splits.items()):
            for pair in (pair for pair in PAIRS if pair in scores):
                about = {"split": split, "pair": pair, "trained": _flag(pair in row.run.trained_pairs)}
                counts = {"rows": scores[pair]["rows"], "expected": scores[pair]["expected"]}
                for metric, value, signature in _metrics(scores[pair]):
                    yield first | about | {"metric": metric, "value": value, "signature": signature} | counts
            for code, errors in row.recognition.get(split, {}).items():
                values = {"metric": errors["metric"], "value": _number(errors["value"], 4)}
                about = {"split": split, "pair": code, "signature": errors["signature"]}
                yield first | about | values | {"rows": errors["rows"], "expected": errors["expected"]}


def _metrics(scores: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value and signature of everything that was measured of a pair."""
    for metric, signature in METRICS.items():
        value = _value(scores, metric)
        if value is not None:
            yield metric, _number(value, 4), scores.get(signature) or ""
    for kind in KINDS:
        if scores["rows"] and kind in scores.get("faults", {}):
            yield f"faults_{kind}", str(scores["faults"][kind]), ""


def _value(scores: dict[str, Any], metric: str) -> float | None:
    name, _, end = metric.rpartition("_")
    if name.endswith("_ci95"):
        interval = scores.get(name)
        return None if interval is None else float(interval[end == "high"])
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
