"""Table, MLflow and report for nine experiments with four checkpoints each over all 36 pairs, together."""

import copy
import json
import math
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record import ROOT, Measured, main, peak_mib

from llast.artifacts import Summary, read_json, write_json
from llast.demo.phrasebook import PHRASES
from llast.evaluation.score import score
from llast.languages import PAIRS, pairs_from, source_languages, split_pair
from llast.results.report.report import report
from llast.results.table import read_runs, table
from llast.results.tracking.forward import RunIdentity, forward
from llast.results.tracking.store import open_store
from llast.results.tracking.track import track

TARGET_S, TARGET_POINTS, TARGET_PAGE_MIB, TARGET_MIB = 60.0, 5_000.0, 10.0, 2048.0
STEPS = 8000  # of the paper's epoch on eight GPUs


def measure(full: bool) -> list[Measured]:
    """Curves go to MLflow while training, as in the workflow; all of them at once is a claim of its own."""
    experiments, checkpoints = (9, 4) if full else (3, 2)
    steps = STEPS if full else STEPS // 10
    published = ROOT / "config" / "published.csv"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs, scores, mixes = _results(folder, experiments, checkpoints, steps)
        corpus = [_summary(folder / "filter" / source / "summary.json", "filter") for source in PHRASES]
        csvs = {"table": folder / "bleu_table.csv", "scores": folder / "scores.csv"}
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        sides: dict[str, Callable[[], object]] = {
            "table": lambda: table(read_runs(runs, scores), folder, published=published),
            "report": lambda: report(
                **csvs, runs=runs, corpus=corpus, mixes=mixes, score_files=scores, published=published,
                output=folder / "report.html",
            ),
            "track": lambda: track(
                runs, scores, list(csvs.values()), uri, folder / "track.json"
            ),
        }  # fmt: skip
        open_store(uri)
        started = time.perf_counter()
        for path in runs:
            run = read_json(path)
            forward(path.parent / run["folder"], RunIdentity(run["experiment"], 1, run["spec_hash"]), uri)
        resync = time.perf_counter() - started
        seconds = {}
        for side, call in sides.items():
            started = time.perf_counter()
            call()
            seconds[side] = time.perf_counter() - started
        size = (folder / "report.html").stat().st_size / 2**20
    parts = ", ".join(f"{side} {value:.1f} s" for side, value in seconds.items())
    what = f"{experiments} experiments x {checkpoints} checkpoints x 36 pairs"
    return [
        Measured(
            "results",
            f"table, report and MLflow together take less than a minute for {what}, {steps:,} steps each, whose curves "
            "were sent while training",
            sum(seconds.values()),
            "s",
            ours_is=parts,
            target=TARGET_S,
            lower_is_better=True,
        ),
        Measured(
            "resync",
            f"all curves of {experiments} runs of {steps:,} steps, seven values each, go into an empty SQLite store",
            len(runs) * steps * 7 / resync,
            "points/s",
            target=TARGET_POINTS,
        ),
        Measured(
            "report_size",
            f"the page of {what} opens at once",
            size,
            "MiB",
            target=TARGET_PAGE_MIB,
            lower_is_better=True,
        ),
        Measured(
            "results_memory",
            f"table, report and MLflow for {what} (the benchmark's own memory included)",
            peak_mib(),
            "MiB",
            target=TARGET_MIB,
            lower_is_better=True,
        ),
    ]


def _results(
    folder: Path, experiments: int, checkpoints: int, steps: int
) -> tuple[list[Path], list[Path], list[Path]]:
    """Runs, score files and mixtures; every score file is a real one with other numbers."""
    draw = random.Random(1)
    pattern = score(
        [_translated(folder / s, s) for s in source_languages(PAIRS)], "test", folder / "score.json"
    )
    runs, scores, mixes = [], [], []
    for number in range(experiments):
        experiment = f"experiment-{number}"
        base = folder / experiment / "seed1"
        runs.append(base / "train" / "run.json")
        options = {
            "encoder": {"base": "org/encoder@1", "window": "30s", "lora": {"rank": 2 ** (number % 4 + 4)}},
            "llm": {"base": "org/llm@1"},
            "training": {"learning_rate": 1e-4 * (number + 1)},
        }
        run = {
            "experiment": experiment, "seed": 1, "spec_hash": str(number), "folder": "f", "steps": steps,
            "trained_pairs": list(PAIRS), "world_size": 8, "seconds": 3600.0, "checkpoints": [], "options": options,
        }  # fmt: skip
        write_json(runs[-1], run)
        (base / "train" / "f").mkdir()
        with (base / "train" / "f" / "metrics.jsonl").open("w") as file:
            for step in range(1, steps + 1):
                record = {
                    "step": step, "time": 1.76e9 + step, "loss": 3 * math.exp(-step / 900) + draw.random() / 9,
                    "learning_rate": 1e-4, "grad_norm": 1.0 + draw.random(), "target_tokens_per_s": 900.0,
                    "tokens_per_s": 9000.0, "rows_per_s": 90.0, "seconds": 1.0, "wait_s": 0.0, "rows": 256,
                    "epoch": step / steps, "cpu_percent": 50.0, "memory_mb": 9e4,
                }  # fmt: skip
                file.write(json.dumps(record) + "\n")
        mixes.append(_summary(base / "mix" / "summary.json", "mix"))
        for checkpoint in range(1, checkpoints + 1):
            for split in ("dev", "test"):
                value = copy.deepcopy(pattern)
                about = {"experiment": experiment, "split": split, "checkpoint": checkpoint}
                value |= about | {"step": steps * checkpoint // checkpoints}
                for pair in value["pairs"].values():
                    pair["bleu"] += draw.uniform(-5, 5)
                scores.append(base / "score" / f"checkpoint{checkpoint}.{split}.json")
                write_json(scores[-1], value)
    return runs, scores, mixes


def _translated(folder: Path, source: str) -> Path:
    described: dict[str, Any] = {}
    folder.mkdir()
    for pair in pairs_from(source, PAIRS):
        references = PHRASES[split_pair(pair)[1]]
        lines = [
            {"clip": f"{source}{i}", "sentence": sentence, "reference": references[i],
             "hypothesis": references[i - i % 2], "seconds": 1.0 + i % 7}
            for i, sentence in enumerate(PHRASES[source])
        ]  # fmt: skip
        name = f"{pair}.test.jsonl"
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        described[pair] = {"test": {"rows": len(lines), "expected": len(lines), "file": name}}
    details = {"experiment": "x", "seed": 1, "checkpoint": 1, "step": 1, "pairs": described}
    return _summary(folder / "summary.json", "decode", details)


def _summary(path: Path, step: str, details: dict[str, Any] | None = None) -> Path:
    Summary(
        step=step, version=1, rows_in=1000, rows_out=990, dropped={"label": 10}, details=details or {}
    ).write(path)
    return path


if __name__ == "__main__":
    main(measure)
