"""A run that was interrupted goes on from its last checkpoint whatever was changed that does not decide its weights."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from llast.artifacts.corpus import MixSummary
from llast.artifacts.run import Run
from llast.artifacts.training import Change
from llast.config.steps import Machine, TrainSpec
from llast.errors import JobError
from llast.launch import job as jobs
from llast.launch import train as launcher
from llast.launch.train import launch
from llast.mixture.rows import open_rows, write_rows
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.loader import split
from llast.training.run_folder import CheckpointFolder, RunFolder
from llast.training.sampler import UpdateSampler
from tests.training_ranks import on_ranks, tiny_spec, train_and_stop

pytestmark = pytest.mark.slow

Rows = tuple[Path, list[Path]]
Start = Callable[..., None]
STOPPED, STEPS = 3, 5
TWO = Machine(tasks_per_node=2)


def spec(dropout: float, **training: Any) -> TrainSpec:
    return tiny_spec(dropout, **({"max_steps": STEPS, "dev_every": 100} | training))


@pytest.fixture
def start(base_models: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """`launch` with ranks that are started here instead of by submitit, and may be stopped after some steps."""

    def call(
        folder: Path, rows: Rows, options: TrainSpec, machine: Machine = TWO, stop_step: int = 0
    ) -> None:
        def submit(run: RunFolder, label: str, machine: Machine) -> None:
            if not all(on_ranks(machine.ranks, train_and_stop, run.path, 0, stop_step)):
                raise KeyboardInterrupt

        monkeypatch.setattr(jobs, "submit", submit)
        monkeypatch.setattr(launcher, "follow", lambda *_: None)
        encoder, llm = base_models / "whisper", base_models / "llama"
        launch("tiny", 1, *rows, encoder, llm, folder / "run.json", options, machine)

    return call


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that several tests look at, each made by the first that does."""
    return {}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (checkpoint,) = Run.read(folder / "run.json").checkpoints
    return load_file(CheckpointFolder(folder / str(checkpoint.folder)).adapter / "adapter_model.safetensors")


def run_of(folder: Path) -> RunFolder:
    (path,) = (path.parent for path in folder.glob("*/spec.json"))
    return RunFolder(path)


@pytest.mark.parametrize(
    ("option", "value", "rounds"),
    [
        ("training.save_every", 2, False),
        ("training.dev_every", 1, False),
        ("training.loss_limit", 50.0, False),
        ("mixture.dev_rows", 1, False),
        ("training.tokens_per_micro_batch", 150, True),
        ("training.gradient_checkpointing", True, True),
        ("threads", 2, True),
        ("processes", 3, True),
    ],
)
def test_it_goes_on(
    start: Start,
    training_rows: Rows,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    folders: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: Any,
    rounds: bool,
) -> None:
    dropout = 0.0 if rounds else 0.1
    whole, broken = f"whole {dropout}", f"broken {dropout}"
    if whole not in folders:
        for name in (whole, broken):
            folders[name] = tmp_path_factory.mktemp("run")
        start(folders[whole], training_rows, spec(dropout))
        with pytest.raises(KeyboardInterrupt):
            start(folders[broken], training_rows, spec(dropout), stop_step=STOPPED)
    folder = tmp_path / "run"
    shutil.copytree(folders[broken], folder)
    before = run_of(folder).metrics.read_text()
    assert before.count("\n") == run_of(folder).newest_step() == STOPPED
    rows, machine, options = training_rows, TWO, spec(dropout)
    part, _, name = option.partition(".")
    previous: Any
    if option == "threads":
        previous, machine = 1, Machine(tasks_per_node=2, threads=value)
    elif option == "processes":
        previous, machine = 2, Machine(tasks_per_node=value)
    else:
        previous = getattr(getattr(options, part), name)
        inner = getattr(options, part).model_copy(update={name: value})
        options = options.model_copy(update={part: inner})
    if option == "mixture.dev_rows":
        rows = with_one_dev_row(training_rows, tmp_path / "mix"), training_rows[1]
    capsys.readouterr()

    start(folder, rows, options, machine)

    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("train: ")]
    assert len(said) == rounds
    assert all(f"from step {STOPPED}" in line and f"{option} {value}" in line for line in said)
    run = Run.read(folder / "run.json")
    assert run.world_size == machine.ranks
    assert run.changes == [Change(step=STOPPED, option=option, before=previous, after=value)]
    assert run_of(folder).metrics.read_text().startswith(before)
    records, undisturbed = run_of(folder).records(), run_of(folders[whole]).records()
    assert [record.step for record in records] == list(range(1, STEPS + 1))
    measured = [record.step for record in records if record.dev_loss is not None]
    assert measured == ([4, 5] if option == "training.dev_every" else [5])
    dev_loss, expected_loss = records[-1].dev_loss, undisturbed[-1].dev_loss
    if rounds:
        assert dev_loss == pytest.approx(expected_loss, rel=1e-4)
    else:
        assert (dev_loss == expected_loss) is (part != "mixture")
    assert (4 in run_of(folder).complete_steps()) is (option == "training.save_every")
    expected = weights(folders[whole])
    for key, tensor in weights(folder).items():
        if rounds:
            torch.testing.assert_close(tensor, expected[key], atol=2e-5, rtol=1e-3)
        else:
            assert torch.equal(tensor, expected[key]), key


def with_one_dev_row(rows: Rows, folder: Path) -> Path:
    """The same mixture with another dev set."""
    shutil.copytree(rows[0].parent, folder)
    mix = folder / rows[0].name
    dev = open_rows(rows[0], "dev")
    write_rows(mix, pa.Table.from_pylist(dev.to_pylist()[:1], schema=dev.schema), "dev")
    summary = MixSummary.read(mix)
    details = summary.details.model_copy(update={"dev_rows": 1})
    summary.model_copy(update={"details": details}).write(mix)
    return mix


def test_a_finished_run_is_finished_whatever_has_changed(
    start: Start, training_rows: Rows, tmp_path: Path
) -> None:
    start(tmp_path, training_rows, spec(0.1, max_steps=1))
    before = Run.read(tmp_path / "run.json")
    changed = spec(0.1, max_steps=1, save_every=1, tokens_per_micro_batch=1)
    start(tmp_path, training_rows, changed, Machine(tasks_per_node=3, threads=2), stop_step=1)
    after = Run.read(tmp_path / "run.json")
    assert (after.changes, after.world_size, after.options) == ([], 2, before.options)


def test_a_job_that_is_followed_keeps_what_it_was_started_with(
    start: Start,
    base_models: Path,
    training_rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, training_rows, spec(0.1, max_steps=2), stop_step=1)
    monkeypatch.setattr(jobs, "find", lambda run: jobs.TrainingJob(run.jobs, "name", "7", TWO, 0))
    monkeypatch.setattr(jobs.TrainingJob, "settled", lambda job: True)
    monkeypatch.setattr(launcher, "follow", lambda job, run, *_: on_ranks(2, train_and_stop, run.path))
    encoder, llm = base_models / "whisper", base_models / "llama"
    other = spec(0.1, max_steps=2, save_every=7)
    launch("tiny", 1, *training_rows, encoder, llm, tmp_path / "run.json", other, TWO)
    assert "training.save_every (there 100, now 7)" in capsys.readouterr().err
    run = Run.read(tmp_path / "run.json")
    assert run.changes == []
    assert isinstance(run.options, TrainSpec)
    assert run.options.training.save_every == 100


OUT_OF_MEMORY = """
import os, sys
if "submitit.core._submit" in sys.orig_argv:
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import torch
    from llast.model.modeling import LlastForConditionalGeneration as Model
    forward = Model.forward
    def limited(self, *args, **batch):
        if self.training and batch["input_ids"].numel() > int(os.environ["MOST_POSITIONS"]):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, *args, **batch)
    Model.forward = limited
"""


def test_the_advice_of_an_out_of_memory_error_leads_to_the_end(
    base_models: Path, training_rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks that are out of memory in a micro-batch of more positions than the one of the first step has."""
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    rows = TrainingRows(*training_rows, processor, stack=4)
    for seed in range(9):
        sizes = [
            max(
                batch.tensors["input_ids"].numel()
                for rank in (0, 1)
                for batch in split(rows, update, rank, 2, 16384, True)
            )
            for update in list(UpdateSampler(rows.clip_of_row, 7, seed).epoch(0))[:4]
        ]
        if sizes[0] < max(sizes):
            break
    limit, done = sizes[0], next(step for step, size in enumerate(sizes) if size > sizes[0])
    (tmp_path / "sitecustomize.py").write_text(OUT_OF_MEMORY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("MOST_POSITIONS", str(limit))

    def train(**training: Any) -> None:
        options = tiny_spec(max_steps=4, rows_per_update=7, save_every=1, **training)
        encoder, llm = base_models / "whisper", base_models / "llama"
        launch("tiny", seed, *training_rows, encoder, llm, tmp_path / "run" / "run.json", options, TWO)

    with pytest.raises(JobError) as failed:
        train()
    assert "training.tokens_per_micro_batch" in str(failed.value)
    assert run_of(tmp_path / "run").newest_step() == done
    train(tokens_per_micro_batch=limit)
    changes = Run.read(tmp_path / "run" / "run.json").changes
    assert [(change.step, change.option) for change in changes] == [(done, "training.tokens_per_micro_batch")]
