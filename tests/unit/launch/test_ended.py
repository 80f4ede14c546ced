"""Real jobs on this machine that end early: what the user is told, within seconds, and that nothing of them is left."""

import os
import re
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from llast.config.steps import Machine
from llast.errors import DataError, JobError
from llast.launch.lock import locked
from llast.launch.task import STARTS
from llast.launch.train import launch
from llast.training.run_folder import RunFolder
from tests.training_ranks import tiny_spec

pytestmark = pytest.mark.slow

Launch = Callable[[int], None]
FOR_EVER = tiny_spec(max_steps=100_000, save_every=1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a run; afterwards, no process has anything to do with it."""
    yield tmp_path
    deadline = time.monotonic() + 10
    while left := job_processes(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.fixture
def train(base_models: Path, training_rows: tuple[Path, list[Path]], folder: Path) -> Launch:
    """A training on so many ranks that does not end by itself."""
    mix, audio = training_rows

    def call(ranks: int) -> None:
        machine = Machine(tasks_per_node=ranks)
        encoder, llm = base_models / "whisper", base_models / "llama"
        launch("tiny", 1, mix, audio, encoder, llm, folder / "run.json", FOR_EVER, machine)

    return call


def job_processes(folder: Path) -> list[psutil.Process]:
    """The controller, and then the ranks of the job that trains below a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.startswith("submitit") for word in words) and any(str(folder) in word for word in words):
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


class Interference(threading.Thread):
    """Does something to the job when it is time, as others on the machine would."""

    def __init__(self, folder: Path, when: Callable[[], bool], then: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._folder, self._when, self._then = folder, when, then
        self.done = 0.0

    def run(self) -> None:
        deadline = time.monotonic() + 120
        while not self._when() and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            self._then()
            self.done = time.monotonic()
        except BaseException:  # the job would go on for ever
            for process in job_processes(self._folder):
                process.kill()
            raise


def trains(folder: Path) -> bool:
    return any(path.stat().st_size for path in folder.glob("*/metrics.jsonl"))


def starts(folder: Path, ranks: int) -> bool:
    return sum(STARTS in log.read_text() for log in folder.glob("*/jobs/*_log.err")) == ranks


def test_a_rank_that_dies_at_the_start(folder: Path, train: Launch) -> None:
    def kill() -> None:
        job_processes(folder)[2].kill()

    interference = Interference(folder, lambda: len(job_processes(folder)) == 3, kill)
    interference.start()
    with pytest.raises(JobError, match="rank 1") as told:
        train(2)
    assert time.monotonic() - interference.done < 40, "the other rank waits at the rendezvous for ten minutes"
    assert "1_log.err" in str(told.value)


def test_an_orderly_stop(folder: Path, train: Launch) -> None:
    def stop() -> None:
        """As somebody does who meets the training in the folder, and reads who holds it."""
        with pytest.raises(JobError) as held, locked(RunFolder(next(folder.glob("*/spec.json")).parent), 0):
            pass
        named = re.search(r"kill (\d+)", str(held.value))
        assert named
        os.kill(int(named[1]), signal.SIGTERM)

    Interference(folder, lambda: trains(folder), stop).start()
    with pytest.raises(JobError, match="SIGTERM") as told:
        train(1)
    assert "memory" not in str(told.value)
    (path,) = folder.glob("*/spec.json")
    saved = RunFolder(path.parent).newest_step()
    assert saved > 0
    assert f"step {saved}" in str(told.value)


def test_ranks_do_not_outlive_what_looks_after_them(folder: Path, train: Launch) -> None:
    """They would go on writing where the next call starts a training; the fixture sees that they are gone."""
    Interference(folder, lambda: starts(folder, 1), lambda: job_processes(folder)[0].kill()).start()
    with pytest.raises(JobError):
        train(1)


def test_a_file_that_may_not_grow(folder: Path, train: Launch) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        with pytest.raises(DataError, match="ulimit -f"):
            train(1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
