"""Ctrl-C ends the Slurm job of the training that it was meant for, and no other."""

from pathlib import Path

import pytest

from tests.slurm.trainings import TWO_NODES, Rows, Training, slurm


@pytest.fixture
def two(cluster: Path, base_models: Path, training_rows: Rows, tmp_path: Path) -> tuple[Training, Training]:
    return (
        Training(base_models, training_rows, tmp_path, "one", *TWO_NODES),
        Training(base_models, training_rows, tmp_path, "other", *TWO_NODES),
    )


def test_ctrl_c_cancels_its_own_job_only(two: tuple[Training, Training]) -> None:
    first, other = two
    foreign = slurm("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 120").strip()
    first.start()
    other.start()
    first.wait_for(lambda: first.in_queue() and other.in_queue())
    first.ctrl_c()
    assert "train: cancelled job" in first.said()
    first.launcher = None
    first.wait_for(lambda: not first.in_queue())
    assert other.in_queue()
    other.ctrl_c()
    other.launcher = None
    other.wait_for(lambda: not other.in_queue())
    assert slurm("squeue", "--noheader", f"--job={foreign}", "--format=%T").strip() in ("RUNNING", "PENDING")
    slurm("scancel", foreign)


def test_ctrl_c_while_the_job_is_being_submitted(two: tuple[Training, Training]) -> None:
    training, _ = two
    training.start()
    training.wait_for(lambda: list(training.folder.glob("*/job.json")))  # written before sbatch is called
    training.ctrl_c()
    training.launcher = None
    training.wait_for(lambda: not training.in_queue())
    assert "train: cancelled job" in training.said()
