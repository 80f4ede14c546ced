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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import write_text
from llast.artifacts.scores import MetricScore, PairScores, Sample, ScoreFile
from llast.artifacts.summaries import Split
from llast.config.experiment import LoraOptions
from llast.config.steps import TrainSpec
from llast.training.run_folder import RunFolder, as_line
from tests.runs import SPLITS, trained_run, training_record

STARTED = 1_763_870_000.0
STEPS = 40
PAIRS = ("fr_en", "de_en", "en_de")
SAMPLE = Sample(
    clip="clip1",
    sentence="Une vieille maison.",
    reference="An old house.",
    hypothesis="",
    seconds=2.0,
    chrf2=50.0,
)
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
            for split in SPLITS:
                scores.append(folder / "score" / f"checkpoint{checkpoint}.{split}.json")
                scored(experiment, checkpoint, split).write(scores[-1])
    table = results / "bleu_table.csv"
    write_text(table, "experiment,fr_en\nadapted,61.50\n")
    return Workflow(runs, scores, [table])


def write_run(folder: Path, experiment: str) -> Path:
    """Write a run with a record per step, and `run.json`; return the latter."""
    key = f"{experiment}-0123"
    (folder / key).mkdir(parents=True)
    RunFolder(folder / key).metrics.write_text("".join(record(step) for step in range(1, STEPS + 1)))
    adapted = experiment == "adapted"
    run = trained_run(experiment, 1, PAIRS, identity=key, folder=key, steps=STEPS)
    assert isinstance(run.options, TrainSpec)
    llm = run.options.llm.model_copy(update={"lora": LoraOptions(rank=8, alpha=16) if adapted else None})
    mixture = run.options.mixture.model_copy(update={"tasks": {"st": 1.0, "asr": 0.5 if adapted else 0.25}})
    options = run.options.model_copy(update={"llm": llm, "mixture": mixture})
    run.model_copy(update={"options": options}).write(folder / "run.json")
    return folder / "run.json"


def record(step: int, **more: float) -> str:
    """A line of `metrics.jsonl`."""
    return as_line(training_record(step, **{"time": STARTED + step, **more}))


def scored(
    experiment: str, checkpoint: int, split: Split, first_pair: Mapping[str, MetricScore] | None = None
) -> ScoreFile:
    """What the step `score` writes; with other scores of the first pair."""
    values = dict(zip(PAIRS, BLEU[experiment][checkpoint], strict=True))
    return ScoreFile(
        experiment=experiment,
        seed=1,
        checkpoint=checkpoint,
        step=checkpoint * STEPS // 2,
        split=split,
        pairs={
            pair: PairScores(
                metrics={
                    "bleu": MetricScore(value=bleu + (split == "dev"), signature="tok:13a"),
                    "bleu_lc": MetricScore(value=bleu + 1, signature="case:lc"),
                    "chrf2": MetricScore(value=bleu + 10, signature="nc:6"),
                    **((pair == PAIRS[0] and first_pair) or {}),
                },
                rows=100,
                expected=100,
                samples={"drawn": [SAMPLE.model_copy(update={"hypothesis": f"{experiment} {pair}"})]},
            )
            for pair, bleu in values.items()
        },
    )


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
