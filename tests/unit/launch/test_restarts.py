"""Restarts are bounded by what they bring, not by their number."""

from pathlib import Path

import pytest

from llast.artifacts import write_json
from llast.errors import JobError
from llast.launch import restarts


def save(run_folder: Path, step: int) -> None:
    write_json(run_folder / "checkpoints" / f"step-{step:06d}" / "complete.json", {"step": step})


def test_starts_that_bring_a_checkpoint_go_on_for_ever(tmp_path: Path) -> None:
    for step in range(10, 200, 10):
        restarts.count_start(tmp_path)
        assert restarts.left(tmp_path)
        save(tmp_path, step)


def test_starts_in_vain_end(tmp_path: Path) -> None:
    save(tmp_path, 40)
    for _ in range(1 + restarts.MOST):
        assert restarts.left(tmp_path)
        restarts.count_start(tmp_path)
    assert not restarts.left(tmp_path)
    with pytest.raises(JobError, match=r"started 5 times without a new checkpoint.*save_every"):
        restarts.count_start(tmp_path)


def test_a_checkpoint_or_a_user_starts_the_count_again(tmp_path: Path) -> None:
    for again in (lambda: save(tmp_path, 10), lambda: restarts.forget(tmp_path)):
        for _ in range(1 + restarts.MOST):
            restarts.count_start(tmp_path)
        assert not restarts.left(tmp_path)
        again()
        assert restarts.left(tmp_path)


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "step-000010" / "engine").mkdir(parents=True)
    assert restarts.newest_step(tmp_path) == 0
