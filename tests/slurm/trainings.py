"""A training on the test cluster: `llast train` as a user or Snakemake starts it, and what it leaves."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

from llast.config.steps import TrainSpec
from llast.results.tracking.forward import forward
from llast.results.tracking.identity import RunIdentity

Rows = tuple[Path, list[Path]]
STEPS = 150
SPEC = TrainSpec.model_validate(
    {
        "encoder": {"base": "./whisper", "window": "clip", "lora": {"rank": 4, "alpha": 8, "dropout": 0.1}},
        "adaptor": {"stack": 4},
        "llm": {"base": "./llama", "lora": {"rank": 4, "alpha": 8, "dropout": 0.1}},
        "mixture": {"pairs": ["fr_en"]},
        "training": {
            "max_steps": STEPS, "rows_per_update": 7, "learning_rate": 2e-3, "checkpoints": 2,
            "precision": "float32", "save_every": 20,
        },
    }
)  # fmt: skip
TWO_NODES = ("--cluster", "slurm", "--nodes", "2", "--memory-mb", "3000", "--account", "test")


class Training:
    """One experiment, its launcher and its job. Each has an MLflow store in the folder that all of a test share."""

    def __init__(
        self,
        bases: Path,
        rows: Rows,
        folder: Path,
        name: str,
        *machine: str,
        spec: TrainSpec = SPEC,
        inside: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.terminal = self.folder / "terminal.txt"
        self.launcher: psutil.Popen | None = None
        self._store = folder / "mlflow.db"
        self._name = name
        self._command = [
            *inside, str(Path(sys.executable).parent / "llast"), "train", "--experiment", name, "--seed", "1",
            "--mix", str(rows[0]), "--audio", str(rows[1][0]), "--encoder", str(bases / "whisper"),
            "--llm", str(bases / "llama"), "--output", str(self.folder / "run.json"),
            "--options", spec.model_dump_json(), *machine,
        ]  # fmt: skip

    def start(self) -> None:
        """Start the launcher, as Snakemake would: in a process group of its own; it hears Ctrl-C and hang-up."""
        with self.terminal.open("ab") as terminal:
            self.launcher = psutil.Popen(
                self._command,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
                preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)],
                env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{self._store}", "OMP_NUM_THREADS": "1"},
            )

    def signal(self, number: int) -> None:
        """Send a signal to the launcher alone, and wait for its end."""
        assert self.launcher is not None
        self.launcher.send_signal(number)
        self.launcher.wait(timeout=60)

    def ctrl_c(self) -> None:
        """What a terminal sends to the launcher and its children."""
        assert self.launcher is not None
        os.killpg(self.launcher.pid, signal.SIGINT)
        self.end(130)

    def end(self, code: int = 0) -> None:
        """Wait for the launcher's end."""
        assert self.launcher is not None
        assert self.launcher.wait(timeout=600) == code, self.said() + self.errors()

    def said(self) -> str:
        """What the launcher has shown."""
        return self.terminal.read_text()

    def errors(self) -> str:
        """Standard error of all ranks, of all jobs."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*/jobs/*_log.err")))

    def starts(self) -> list[str]:
        """The line of each rank's start, first ones first; without a start that not every rank lived to say."""
        logs = [path.read_text().splitlines() for path in sorted(self.folder.glob("*/jobs/*_log.err"))]
        of_rank = [[line for line in log if line.startswith("llast: training starts")] for log in logs]
        return [line for lines in zip(*of_rank, strict=False) for line in lines]

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so, and give it."""
        deadline = time.monotonic() + 600
        while not (found := condition()):
            assert self.launcher is None or self.launcher.poll() is None, self.said() + self.errors()
            assert time.monotonic() < deadline, self.said() + self.errors()
            time.sleep(0.05)
        return found

    def steps(self) -> list[int]:
        """Steps on record."""
        return [record["step"] for record in self.records()]

    def records(self) -> list[dict[str, Any]]:
        """`metrics.jsonl`, its complete lines."""
        lines = [
            line
            for path in self.folder.glob("*/metrics.jsonl")
            for line in path.read_bytes().split(b"\n")[:-1]
        ]
        return [json.loads(line) for line in lines]

    def reach(self, step: int) -> None:
        """Wait for a step of the training."""
        self.wait_for(lambda: step <= max(self.steps(), default=0))

    def job(self) -> dict[str, Any]:
        """What `job.json` says."""
        (path,) = self.folder.glob("*/job.json")
        return dict(json.loads(path.read_text()))

    def rank(self, rank: int) -> psutil.Process:
        """A rank's process, which lives on this machine like its pretend node."""
        wanted = {"SLURM_JOB_ID": self.job()["job_id"], "SLURM_PROCID": str(rank)}
        for process in psutil.process_iter(["cmdline"]):
            if "submitit.core._submit" in (process.info["cmdline"] or []):
                environment = process.environ()
                if all(environment.get(name) == value for name, value in wanted.items()):
                    return process
        raise AssertionError(f"no process of rank {rank}")

    def in_queue(self) -> list[str]:
        """Ids of its jobs in the queue."""
        names = [json.loads(path.read_text())["name"] for path in self.folder.glob("*/job.json")]
        return (
            slurm("squeue", "--noheader", "--me", f"--name={','.join(names)}", "--format=%A").split()
            if names
            else []
        )

    def result(self) -> tuple[dict[str, torch.Tensor], list[float]]:
        """Weights at the end, and the loss of every step."""
        run = json.loads((self.folder / "run.json").read_text())
        assert self.steps() == list(range(1, STEPS + 1))
        weights = load_file(
            self.folder / run["checkpoints"][-1]["folder"] / "adapter" / "adapter_model.safetensors"
        )
        return weights, [record["loss"] for record in self.records()]

    def track(self) -> None:
        """What the step `track` does at the end of a workflow: bring to MLflow what the launcher could not."""
        (spec,) = self.folder.glob("*/spec.json")
        identity = RunIdentity.of(self._name, 1, spec.parent.name, self.folder)
        forward(spec.parent, identity, f"sqlite:///{self._store}")

    def curves(self) -> list[list[int]]:
        """Steps of the loss that MLflow has, for each of its runs of this experiment."""
        with sqlite3.connect(self._store) as store:
            runs = store.execute(
                "select run_uuid from runs where name like ?", (f"{self._name} seed%",)
            ).fetchall()
            query = "select step from metrics where run_uuid = ? and key = 'train/loss' order by step"
            return [[step for (step,) in store.execute(query, run)] for run in runs]


def slurm(*command: str) -> str:
    """Run a command of Slurm and give what it says."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
