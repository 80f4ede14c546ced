"""Restarts are bounded by what they bring, not by their number."""

from pathlib import Path

import pytest

from llast.errors import JobError
from llast.launch import restarts
from llast.training.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def save(run: RunFolder, step: int) -> None:
    run.checkpoint(step).path.mkdir(parents=True)
    run.checkpoint(step).marker.touch()


def test_starts_that_bring_a_checkpoint_go_on_for_ever(run: RunFolder) -> None:
    for step in range(10, 200, 10):
        restarts.count_start(run)
        assert restarts.left(run)
        save(run, step)


def test_starts_in_vain_end(run: RunFolder) -> None:
    save(run, 40)
    for _ in range(1 + restarts.MOST):
        assert restarts.left(run)
        restarts.count_start(run)
    assert not restarts.left(run)
    with pytest.raises(JobError, match=r"\b5 times.*save_every"):
        restarts.count_start(run)


def test_a_checkpoint_or_a_user_starts_the_count_again(run: RunFolder) -> None:
    for again in (lambda: save(run, 10), lambda: restarts.forget(run)):
        for _ in range(1 + restarts.MOST):
            restarts.count_start(run)
        assert not restarts.left(run)
        again()
        assert restarts.left(run)


def test_half_a_checkpoint_is_none(run: RunFolder) -> None:
    run.checkpoint(10).engine.mkdir(parents=True)
    assert run.newest_step() == 0
