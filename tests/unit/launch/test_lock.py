"""One training in a folder: who is seen from where, and what is said where that cannot be known."""

import multiprocessing
import os
import shutil
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from llast.artifacts.training import JobRecord, Place
from llast.config.steps import Machine
from llast.errors import DataError, JobError
from llast.launch import job as jobs
from llast.launch import lock, train
from llast.launch.lock import locked, require_known
from llast.launch.place import here, started
from llast.launch.record import note_end
from llast.training.run_folder import RunFolder
from tests.training_ranks import tiny_spec

HERE = here()
CONTAINER = HERE.model_copy(update={"host": "box", "processes": "pid:[1]"})
RESTARTED = HERE.model_copy(update={"boot": "before"})
ELSEWHERE = Place(host="login2", boot="other", processes="pid:[1]")
LOCAL, SLURM = Machine(), Machine(cluster="slurm")


@pytest.mark.parametrize(
    ("there", "known"),
    [(None, True), (HERE, True), (CONTAINER, True), (RESTARTED, True), (ELSEWHERE, False)],
    ids=["no_record", "here", "container", "restarted", "elsewhere"],
)
def test_what_is_known_of_a_training_that_holds_no_lock(
    tmp_path: Path, there: Place | None, known: bool
) -> None:
    run = RunFolder(tmp_path)
    if there:
        JobRecord(
            name="llast-tiny", folder=run.path, machine=LOCAL, job_id="4711", place=there, started=5
        ).write(run.job)
    if known:
        require_known(run, has_locks=True)
    else:
        with pytest.raises(JobError, match=r"login2.*ps -p 4711.*job\.json"):
            require_known(run, has_locks=True)
        note_end(run)  # by who sees its end
        require_known(run, has_locks=True)


def test_without_locks_a_container_is_not_known(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    JobRecord(name="llast-tiny", folder=run.path, machine=LOCAL, job_id="4711", place=CONTAINER).write(
        run.job
    )
    with pytest.raises(JobError, match="4711"):
        require_known(run, has_locks=False)
    JobRecord(name="llast-tiny", folder=run.path, machine=SLURM, job_id="4711").write(
        run.job
    )  # which Slurm tells
    require_known(run, has_locks=False)


def hold(folder: Path, held: Event) -> None:
    with locked(RunFolder(folder), 0):
        held.set()
        held.wait()
        multiprocessing.Event().wait()


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    fork, run = multiprocessing.get_context("fork"), RunFolder(tmp_path)
    held = fork.Event()
    holder = fork.Process(target=hold, args=(tmp_path, held))
    holder.start()
    assert held.wait(20)
    with pytest.raises(JobError, match=rf"{holder.pid} on {HERE.host}.*kill {holder.pid}"), locked(run, 0.3):
        pass
    holder.kill()
    with locked(run, 20) as has_locks:
        assert has_locks


def test_a_process_is_known_by_its_start_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.TrainingJob(tmp_path, "name", str(os.getpid()), LOCAL, started(os.getpid()))
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 12.0)
    assert job.running()
    assert not jobs.TrainingJob(tmp_path, "name", str(os.getpid()), LOCAL, job.started - 1).running()


class Submitted(Exception):
    pass


@pytest.fixture
def call(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], RunFolder]:
    """`llast train` up to the submission of a job; the folder of the run."""

    def submit(run: RunFolder, *_: object) -> None:
        raise Submitted

    def launch() -> RunFolder:
        encoder, llm = base_models / "whisper", base_models / "llama"
        with pytest.raises(Submitted):
            train.launch("tiny", 1, *training_rows, encoder, llm, tmp_path / "run.json", tiny_spec(), LOCAL)
        return RunFolder(next(tmp_path.glob("*/spec.json")).parent)

    monkeypatch.setattr(jobs, "submit", submit)
    monkeypatch.setitem(lock.PATIENCE_S, "local", 0.3)
    return launch


def test_a_training_starts_only_where_there_is_none(call: Callable[[], RunFolder]) -> None:
    run = call()
    with locked(run, 0), pytest.raises(JobError, match=f"kill {os.getpid()}"):
        call()
    JobRecord(name="llast-tiny", folder=run.path, machine=LOCAL, job_id="4711", place=ELSEWHERE).write(
        run.job
    )
    with pytest.raises(JobError, match="4711"):
        call()
    run.job.unlink()  # as the message says
    call()


def test_a_checkpoint_that_training_is_past_cannot_be_missing(call: Callable[[], RunFolder]) -> None:
    run = call()
    newest = run.checkpoint(1_000)
    newest.engine.mkdir(parents=True)
    newest.marker.touch()
    with pytest.raises(DataError, match=rf"step-\d+ is missing.*step 1000.*delete {newest.path.parent} "):
        call()
    shutil.rmtree(newest.path.parent)
    call()
