"""Whatever happens to a training on the cluster, it ends with the same weights and one continuous curve."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.slurm import conftest
from tests.slurm.trainings import STEPS, TWO_NODES, Rows, Training, slurm

Scenario = Callable[[Training], None]


def preempted(training: Training) -> None:
    """Slurm's warning, then a requeue by an administrator, which gives none."""
    training.start()
    training.reach(10)
    job = training.job()["job_id"]
    slurm("scancel", "--signal=USR2", job)
    training.wait_for(lambda: "USR2: saving after this step" in training.errors())
    training.wait_for(lambda: training.errors().count("training starts from step") == 2 * 2)
    training.reach(40)
    slurm("scontrol", "requeue", job)
    training.end()
    assert training.job()["job_id"] == job, "the same job, requeued"
    assert "Restarts=2 " in slurm("scontrol", "show", "job", job)
    assert "from step 0" not in "".join(training.starts()[2:4]), "what was done at the warning was saved"


def out_of_time(training: Training) -> None:
    """A limit of one minute, and a step that takes longer."""
    training.start()
    training.reach(1)
    slow = training.rank(1)
    slow.suspend()
    training.wait_for(lambda: "USR2: saving after this step" in training.errors())
    slow.resume()
    job = training.job()["job_id"]
    training.wait_for(lambda: training.errors().count("training starts from step") >= 2 * 2)
    slurm("scontrol", "update", f"jobid={job}", "timelimit=20")  # a crowded machine takes a minute to start
    training.end()
    assert training.job()["job_id"] == job, "the same job, requeued"
    assert "from step 0" not in "".join(training.starts()[2:]), "what was done at the warning was saved"


def node_lost(training: Training) -> None:
    """A node of the job loses its power."""
    training.start()
    training.reach(10)
    node = slurm("squeue", "--noheader", "--format=%N", "--job", training.job()["job_id"]).strip()
    last = slurm("scontrol", "show", "hostnames", node).split()[-1]
    conftest.cut_power(last)
    training.end()
    conftest.start()


def rank_killed(training: Training) -> None:
    """The kernel kills a process, for whatever reason: while the other waits for it at the rendezvous, and later."""
    training.start()
    for condition in (
        lambda: training.starts() or training.steps(),
        lambda: max(training.steps(), default=0) >= 10,
    ):
        training.wait_for(condition)
        job, began = training.job()["job_id"], time.monotonic()
        training.rank(1).kill()
        training.wait_for(lambda job=job: training.job()["job_id"] not in (job, None))  # type: ignore[misc]
        assert time.monotonic() - began < 120, (
            "a job that failed cannot be requeued: another one goes on, soon"
        )
    training.end()
    assert training.said().count("rank 1: ended without a result: it was killed") == 2
    assert "Traceback" not in training.said()


def launcher_lost(training: Training) -> None:
    """The login shell is gone, then the login node; each time it is started again, and finds the one job."""
    training.start()
    training.wait_for(training.in_queue)  # the launcher may not have heard of its job's id yet
    for ended_by in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
        training.signal(ended_by)
        before = training.said().count("which is already there")
        training.start()
        training.wait_for(lambda before=before: training.said().count("which is already there") > before)  # type: ignore[misc]
    training.end()
    assert len(list(training.folder.glob("*/jobs/*_submitted.pkl"))) == 1


A_JOB = ("srun", "--mem-per-cpu=2000", "--gpus-per-node=1", "--cpus-per-task=2")
"""Where Snakemake itself may run: what this allocation asks for must not reach the job of the training."""

SCENARIOS: dict[Scenario, tuple[tuple[str, ...], tuple[str, ...]]] = {
    out_of_time: ((), ("--minutes", "1")),
    preempted: ((), ("--minutes", "20")),
    node_lost: ((), ("--minutes", "20", "--partition", "doomed")),
    launcher_lost: ((), ("--minutes", "20")),
    rank_killed: (A_JOB, ("--minutes", "20")),
}
"""Each with the command that its launcher runs inside of, and what it asks for."""


@pytest.fixture(scope="module")
def reference(base_models: Path, training_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """An undisturbed run of two processes on this machine."""
    training = Training(
        base_models, training_rows, tmp_path_factory.mktemp("reference"), "reference", "--tasks-per-node", "2"
    )
    training.start()
    training.end()
    return training


@pytest.fixture(scope="module")
def outcomes(
    cluster: Path,
    reference: Training,
    base_models: Path,
    training_rows: Rows,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Scenario, Future[Training]]]:
    """All scenarios, two at a time: experiments that share the nodes and the MLflow store."""
    folder = tmp_path_factory.mktemp("trainings")

    def play(scenario: Scenario) -> Training:
        inside, machine = SCENARIOS[scenario]
        training = Training(
            base_models, training_rows, folder, scenario.__name__, *TWO_NODES, *machine, inside=inside
        )
        scenario(training)
        return training

    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {scenario: pool.submit(play, scenario) for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_same_end(
    scenario: Scenario, outcomes: dict[Scenario, Future[Training]], reference: Training
) -> None:
    training = outcomes[scenario].result()
    weights, losses = training.result()
    expected, expected_losses = reference.result()
    assert losses == expected_losses
    assert all(torch.equal(tensor, weights[name]) for name, tensor in expected.items())
    training.track()
    assert training.curves() == [list(range(1, STEPS + 1))], "one run of MLflow, each step once"
