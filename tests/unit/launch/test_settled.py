"""Whether an earlier job of Slurm is still there, asked while Slurm ends it or puts it back into its queue."""

from pathlib import Path

import pytest

from llast.config.steps import Machine
from llast.launch.job import TrainingJob


def settled(folder: Path, monkeypatch: pytest.MonkeyPatch, *said: str) -> bool:
    """What a launcher concludes from these answers of `squeue`, one after the other; another question is an error."""
    for number, line in enumerate(said, 1):
        (folder / f"answer{number}").write_text(f"{line}\n" if line else "")
    squeue = folder / "squeue"
    squeue.write_text(f'#!/bin/sh\ncd {folder}\necho >> asked\ncat "answer$(wc -l < asked)"\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    is_there = TrainingJob(folder, "name", "7", Machine(cluster="slurm"), 0).settled()
    assert (folder / "asked").read_text().count("\n") == len(said)
    return is_there


@pytest.mark.parametrize(
    ("said", "is_there"),
    [
        (["7 RUNNING"], True),
        (["7 COMPLETING", "7 COMPLETING", "7 PENDING"], True),
        (["", "7 PENDING"], True),
        (["7 COMPLETING", "", "7 PENDING"], True),
        (["7 COMPLETING", "", ""], False),
        (["8 RUNNING", "8 RUNNING"], False),
    ],
    ids=["runs", "is_put_back", "missing_for_a_moment", "missing_between", "ended", "another_job"],
)
def test_a_job_is_gone_only_if_slurm_says_so_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str], is_there: bool
) -> None:
    assert settled(tmp_path, monkeypatch, *said) is is_there
