"""Following a training job while it runs: its progress on the terminal, its metrics to MLflow."""

import os
import sys
import threading
import time
from pathlib import Path

from tqdm import tqdm

from llast.errors import DataError, JobError
from llast.launch.job import TrainingJob
from llast.progress import LOG_EVERY_S
from llast.training.run_folder import RunFolder

POLL_S = 0.5
LOOK_S, LOOK_ENDING_S = 10.0, 1.0
"""How often Slurm is asked whether the job is still there; the latter when some rank has left a result."""

FORWARD_EVERY_S = 10.0


def follow(job: TrainingJob, run: RunFolder, what: str, steps: int) -> None:
    """Show a job's progress until it ends.

    Args:
        job: the job.
        run: folder of the run, with the records that the job writes.
        what: what to call it.
        steps: optimiser steps of the whole training.
    """
    terminal = sys.stderr.isatty()
    position = inode = 0
    interval = 0.2 if terminal else LOG_EVERY_S
    present = _Presence(job)
    with tqdm(
        total=steps, desc=what, unit="step", file=sys.stderr, dynamic_ncols=terminal, ascii=not terminal,
        mininterval=interval, maxinterval=max(1.0, interval),
    ) as bar:  # fmt: skip
        while True:
            running = present.look()  # before reading, so that the last records are seen
            size, found = _size_and_inode(run.metrics)
            if found != inode:  # a resumed run has cut its records back to the checkpoint, in a new file
                position, inode = 0, found
            if size > position:
                with run.metrics.open("rb") as file:
                    file.seek(position)
                    lines = file.read().split(b"\n")[:-1]
                if lines:
                    position += sum(len(line) + 1 for line in lines)
                    record = run.parse(lines[-1])
                    bar.set_postfix(loss=f"{record.loss:.3f}", refresh=False)
                    bar.update(record.step - bar.n)
            if not running:
                return
            time.sleep(POLL_S)


def _size_and_inode(path: Path) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    found = path.stat()
    return found.st_size, found.st_ino


class _Presence:
    """Whether a job is still there, without asking Slurm more often than its administrators like."""

    def __init__(self, job: TrainingJob) -> None:
        self._job = job
        self._next = 0.0
        self._absent = False
        self._warned = False

    def look(self) -> bool:
        now = time.monotonic()
        ending = self._job.on_slurm and (self._absent or bool(self._job.ended_ranks()))
        if self._job.on_slurm and now < (self._next - LOOK_S + LOOK_ENDING_S if ending else self._next):
            return True
        self._next = now + LOOK_S
        try:
            running = self._job.running()
        except JobError:  # the controller restarts now and then; the job goes on without it
            if not self._warned:
                print(
                    f"train: squeue does not answer; job {self._job.job_id} is taken to go on",
                    file=sys.stderr,
                )
            self._warned = True
            return True
        # Slurm has to miss it twice: a job is not in the queue for a moment while it is put back.
        gone, self._absent = not running and (self._absent or not self._job.on_slurm), not running
        return not gone


class Forwarder:
    """Sends metrics to MLflow while the job runs, in a thread; a store that fails costs nothing but a warning."""

    def __init__(self, run: RunFolder, experiment: str, seed: int, key: str) -> None:
        self._arguments = (run, experiment, seed, key)
        self._stop = threading.Event()
        self._uri = os.environ.get("MLFLOW_TRACKING_URI")
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start where a store is named."""
        if self._uri:
            self._thread.start()

    def _run(self) -> None:
        from llast.results.tracking.forward import forward
        from llast.results.tracking.identity import RunIdentity

        run, experiment, seed, key = self._arguments
        warned = False
        while not self._stop.wait(FORWARD_EVERY_S):
            try:
                identity = RunIdentity.of(experiment, seed, key, run.output.parent)
                forward(run.path, identity, str(self._uri))
                continue
            except DataError as error:
                problem = f"nothing is sent to MLflow: {error}"
            except Exception as error:  # of the store: the records are on disk, `track` sends them later
                problem = f"MLflow at {self._uri} does not answer ({error}); trying on"
            if not warned:
                print(f"train: {problem}", file=sys.stderr)
            warned = True

    def stop(self) -> None:
        """Stop after the call in progress."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)
