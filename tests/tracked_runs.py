"""For tests of tracking: what two experiments with two checkpoints each leave on disk, and an MLflow server."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import write_json, write_text
from llast.training.run_folder import RunFolder, as_line
from tests.runs import training_record

STARTED = 1_763_870_000.0
STEPS = 40
PAIRS = ("fr_en", "de_en", "en_de")
SAMPLE = {
    "clip": "clip1",
    "sentence": "Une vieille maison.",
    "reference": "An old house.",
    "seconds": 2.0,
    "chrf2": 50.0,
}
BLEU = {  # of test, by experiment, checkpoint and pair; dev is one point more
    "adapted": {1: (40.0, 30.0, 20.0), 2: (61.5, 50.5, 33.25)},
    "frozen": {1: (15.0, 12.0, 8.0), 2: (13.0, 11.0, 7.0)},
}


@dataclass(frozen=True)
class Workflow:
    """Inputs of the step `track`."""

    runs: list[Path]
    scores: list[Path]
    artifacts: list[Path]

    def arguments(self) -> dict[str, Any]:
        return {"runs": self.runs, "scores": self.scores, "artifacts": self.artifacts}


def write_workflow(results: Path) -> Workflow:
    """Write the workflow's files in the layout of `results/`."""
    runs, scores = [], []
    for experiment in BLEU:
        folder = results / experiment / "seed1"
        runs.append(write_run(folder / "train", experiment))
        for checkpoint in BLEU[experiment]:
            for split in ("dev", "test"):
                path = folder / "score" / f"checkpoint{checkpoint}.{split}.json"
                write_json(path, scored(experiment, checkpoint, split))
                scores.append(path)
    table = results / "bleu_table.csv"
    write_text(table, "experiment,fr_en\nadapted,61.50\n")
    return Workflow(runs, scores, [table])


def write_run(folder: Path, experiment: str) -> Path:
    """Write a run with a record per step, and `run.json`; return the latter."""
    key = f"{experiment}-0123"
    (folder / key).mkdir(parents=True)
    RunFolder(folder / key).metrics.write_text("".join(record(step) for step in range(1, STEPS + 1)))
    lora = {"rank": 8, "alpha": 16.0} if experiment == "adapted" else None
    write_json(
        folder / "run.json",
        {
            "experiment": experiment,
            "seed": 1,
            "spec_hash": key,
            "folder": key,
            "trained_pairs": list(PAIRS),
            "steps": STEPS,
            "options": {
                "llm": {"base": "./llama", "lora": lora},
                "mixture": {"pairs": list(PAIRS), "tasks": {"st": 1.0, "asr": 0.5 if lora else 0.25}},
                "training": {"learning_rate": 2e-4, "max_steps": STEPS},
            },
        },
    )
    return folder / "run.json"


def record(step: int, time: float | None = None, **more: float) -> str:
    """A line of `metrics.jsonl`."""
    return as_line(training_record(step, STARTED + step if time is None else time, **more))


def scored(experiment: str, checkpoint: int, split: str) -> dict[str, Any]:
    """What the step `score` writes."""
    values = dict(zip(PAIRS, BLEU[experiment][checkpoint], strict=True))
    return {
        "experiment": experiment,
        "seed": 1,
        "split": split,
        "checkpoint": checkpoint,
        "step": checkpoint * STEPS // 2,
        "pairs": {
            pair: {
                "bleu": bleu + (split == "dev"),
                "bleu_lc": bleu + 1,
                "chrf2": bleu + 10,
                "rows": 100,
                "expected": 100,
                "samples": {"drawn": [SAMPLE | {"hypothesis": f"{experiment} {pair}"}]},
            }
            for pair, bleu in values.items()
        },
    }


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mlflow_server(
    database: Path, folder: Path, port: int | None = None, most_bytes: int | None = None
) -> Iterator[str]:
    """Run a real MLflow server on loopback with a SQLite database behind it; yields its address.

    No file of its may grow beyond `most_bytes`: to the server the disk is full then.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=os.environ
            | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # five processes that no test needs
            start_new_session=True,
        )
        if most_bytes is not None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
