"""The files of a run's folder: what counts as done, and records that are not whole."""

from pathlib import Path

import pytest

from llast.errors import DataError
from llast.training.run_folder import CheckpointFolder, RunFolder, as_line, checkpoint_at
from tests.runs import training_record


def add(run: RunFolder, step: int, complete: bool = True, engine: bool = True) -> CheckpointFolder:
    folder = run.checkpoint(step)
    folder.adapter.mkdir(parents=True)
    if engine:
        folder.engine.mkdir()
    if complete:
        folder.marker.touch()
    return folder


def test_only_complete_checkpoints_count(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert (run.newest_step(), run.resumable(), run.finished([5])) == (0, [], False)
    add(run, 5)
    add(run, 10, engine=False)
    half = add(run, 15, complete=False)
    assert run.complete_steps() == [5, 10]
    assert run.newest_step() == 10
    assert run.resumable() == [run.checkpoint(5)]
    add(run, 3)
    assert run.resumable() == [run.checkpoint(5), run.checkpoint(3)], "newest first"
    assert run.finished([5, 10])
    assert not run.finished([5, 15])
    assert checkpoint_at(half.adapter) == checkpoint_at(half.path) == half
    assert half.run == run
    assert half.step == 15
    assert checkpoint_at(tmp_path) is None


def test_records_are_read_up_to_the_last_whole_line_and_cut_at_a_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.records() == []
    run.cut_records(0)
    records = [training_record(step, 1.0, dev_loss=None if step % 2 else 0.5) for step in range(1, 5)]
    run.metrics.write_text("".join(map(as_line, records)) + as_line(records[0])[:40])
    assert run.records() == records
    run.cut_records(2)
    assert run.metrics.read_text() == "".join(map(as_line, records[:2]))


@pytest.mark.parametrize(
    "line", ["{broken", "[]", "null", as_line(training_record(1, 1.0)).replace("0.0001", "NaN").strip()]
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text(as_line(training_record(1, 1.0)) + line + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl.* snakemake"):
        run.records()
    run.metrics.write_text(run.metrics.read_text().replace(line + "\n", ""))
    assert run.records() == [training_record(1, 1.0)]


def test_a_number_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(ValueError, match="finite"):
        training_record(1, 1.0, loss=float("nan"))
