"""A job whose record is missing, broken or without an id is found by its name or its folder."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llast.artifacts.training import JobRecord, RunSpec
from llast.config.steps import Machine
from llast.launch import job as jobs
from llast.launch.place import here, started
from llast.training.run_folder import RunFolder
from tests.training_ranks import tiny_spec

RECORDS = pytest.mark.parametrize("record", ["missing", "broken", "without id"])


def leave(run: RunFolder, machine: Machine, record: str) -> None:
    """What a launcher has left of a run and its job."""
    RunSpec(
        experiment="tiny",
        seed=1,
        identity={},
        options=tiny_spec(),
        machine=machine,
        mix=Path("mix"),
        audio=[],
        encoder=Path("encoder"),
        llm=Path("llm"),
    ).write(run.spec)
    if record == "broken":
        run.job.write_text("{")
    elif record == "without id":
        JobRecord(name=jobs._name(run, "tiny-seed1"), folder=run.path, machine=machine).write(run.job)


@RECORDS
def test_on_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str) -> None:
    run, machine = RunFolder(tmp_path / "run"), Machine(cluster="slurm", tasks_per_node=2)
    name = jobs._name(run, "tiny-seed1")
    squeue = tmp_path / "squeue"
    squeue.write_text(
        f'#!/bin/sh\ncase "$*" in *--name={name}\\ *) echo "9 COMPLETING"; echo "12 PENDING";; esac\n'
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert jobs.find(run) is None
    leave(run, machine, record)
    assert jobs.find(run) == jobs.TrainingJob(run.jobs, name, "12", machine, 0)


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[psutil.Process]:
    """A process with the command line of submitit's local controller."""
    folder = RunFolder(tmp_path / "run").jobs.resolve()
    command = [sys.executable, "-c", "input()", "-m", "submitit.local._local", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


@RECORDS
def test_on_one_machine(tmp_path: Path, controller: psutil.Process, record: str) -> None:
    run = RunFolder(tmp_path / "run")
    leave(run, Machine(), record)
    job = jobs.find(run)
    assert job is not None
    assert job.job_id == str(controller.pid)
    assert job.running()
    other = RunFolder(tmp_path / "other")
    leave(other, Machine(), record)
    assert jobs.find(other) is None


def test_a_process_of_another_place_is_not_taken_for_the_job(
    tmp_path: Path, controller: psutil.Process
) -> None:
    run = RunFolder(tmp_path / "run")
    leave(run, Machine(), "missing")
    began = started(controller.pid)
    record = JobRecord(
        name="name",
        folder=run.path,
        machine=Machine(),
        job_id=str(controller.pid),
        place=here(),
        started=began,
    )
    record.write(run.job)
    job = jobs.find(run)
    assert job is not None
    assert job.running()
    elsewhere = here().model_copy(update={"processes": "of a container"})
    for other in ({"place": elsewhere}, {"ended": True}):
        record.model_copy(update=other).write(run.job)
        assert jobs.find(run) is None


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_a_copy_does_not_follow_the_job_of_the_original(
    tmp_path: Path, controller: psutil.Process, monkeypatch: pytest.MonkeyPatch, cluster: str
) -> None:
    """Nor would Ctrl-C there end it; a folder that was moved, or is called otherwise here, keeps its job."""
    run, copy = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "copy")
    machine = Machine.model_validate({"cluster": cluster})
    leave(run, machine, "missing")
    job_id = str(controller.pid) if cluster == "local" else "12"
    record = JobRecord(name="of the original", folder=run.path, machine=machine, job_id=job_id)
    record.model_copy(update={"started": started(controller.pid)}).write(run.job)
    monkeypatch.setattr("llast.launch.slurm.in_queue", lambda name: {"12": "RUNNING"} if "of" in name else {})
    shutil.copytree(run.path, copy.path)
    assert jobs.find(copy) is None
    original = jobs.find(run)
    assert original is not None
    assert original.running()
    shutil.rmtree(copy.path)
    run.path.rename(copy.path)
    assert jobs.find(copy) is not None
