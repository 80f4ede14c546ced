"""A finished run whose other files are gone or broken: `run.json` is written again, or a message leads there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llast.artifacts import spec_hash
from llast.artifacts.run import Run
from llast.artifacts.training import CheckpointRecord, JobRecord, Packing, RunSpec, Starts
from llast.config.steps import Machine
from llast.errors import DataError
from llast.launch import job as jobs
from llast.launch.train import launch
from llast.training.identity import identity_of, settings_of
from llast.training.run_folder import RunFolder, as_line
from tests.runs import training_record
from tests.training_ranks import tiny_spec

OPTIONS, MACHINE = tiny_spec(max_steps=1), Machine(tasks_per_node=2)


@pytest.fixture
def finished(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[RunFolder, Callable[[], Run]]:
    """A run as a training leaves it, and the call that writes its `run.json`."""
    mix, audio = training_rows
    encoder, llm = base_models / "whisper", base_models / "llama"
    identity = identity_of(1, mix, audio, encoder, llm, OPTIONS)
    run = RunFolder(tmp_path / spec_hash(identity))
    RunSpec(
        experiment="tiny",
        seed=1,
        identity=identity,
        options=OPTIONS,
        machine=MACHINE,
        mix=mix,
        audio=audio,
        encoder=encoder,
        llm=llm,
    ).write(run.spec)
    settings = settings_of(OPTIONS, MACHINE, 2)
    CheckpointRecord(step=1, identity=identity, settings=settings, changes=[], first_loss=1.0).write(
        run.checkpoint(1).marker
    )
    Packing(packed=True).write(run.packing)
    JobRecord(name="name", folder=run.path, machine=MACHINE, job_id="1").write(run.job)
    Starts(step=0, in_vain=0).write(run.restarts)
    run.metrics.write_text(as_line(training_record(1)))
    monkeypatch.setattr(jobs, "submit", None)  # nothing is trained again

    def call() -> Run:
        run.output.unlink(missing_ok=True)
        launch("tiny", 1, mix, audio, encoder, llm, run.output, OPTIONS, Machine())
        return Run.read(run.output)

    return run, call


@pytest.mark.parametrize("name", ["spec.json", "packing.json", "job.json", "restarts.json"])
def test_a_missing_file(finished: tuple[RunFolder, Callable[[], Run]], name: str) -> None:
    run, call = finished
    before = call()
    (run.path / name).unlink()
    expected = {"packs_rows": None} if name == "packing.json" else {}
    assert call() == before.model_copy(update=expected)
    assert RunSpec.read(run.spec).options == OPTIONS


@pytest.mark.parametrize("text", ["{", '{"format": 1}\n'], ids=["broken", "older"])
@pytest.mark.parametrize("name", ["spec.json", "packing.json", "metrics.jsonl"])
def test_the_advice_on_a_broken_file_works(
    finished: tuple[RunFolder, Callable[[], Run]], name: str, text: str
) -> None:
    run, call = finished
    call()
    path = run.path / name
    lines = path.read_text() if name == "metrics.jsonl" else ""
    path.write_text(f"{lines}{text}\n")
    with pytest.raises(DataError, match=name):
        call()
    if name == "metrics.jsonl":
        path.write_text(lines)  # as the message says of a line
    else:
        path.unlink()
    assert call().steps == 1
