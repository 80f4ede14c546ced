"""A trained model on disk: a run, one of its checkpoints, or an exported folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import torch

if (
    not torch.cuda.is_available()
):  # transformers imports DeepSpeed to save a model, and it would look for a GPU
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

from llast.artifacts.run import Run
from llast.artifacts.training import RunSpec
from llast.config import layout
from llast.config.steps import TrainSpec
from llast.errors import DataError
from llast.model.bases import base_folder
from llast.model.configuration import is_exported
from llast.model.lora import load_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.results.checkpoints import Checkpoint, read_results
from llast.temporary import temporary_folder
from llast.training.averaging import evaluated_adapter
from llast.training.run_folder import CheckpointFolder, checkpoint_at


@dataclass(frozen=True)
class TrainedCheckpoint:
    """A checkpoint of a training run.

    Attributes:
        folder: with `adapter/` in it.
        spec: what was trained.
        experiment: name of the experiment.
        seed: its seed.
        step: optimiser steps done.
        scored: its scores; None for a checkpoint that was named by its folder.
        average_last: how many checkpoints, up to this one, were averaged for these scores.
    """

    folder: Path
    spec: TrainSpec
    experiment: str
    seed: int
    step: int
    scored: Checkpoint | None = None
    average_last: int = 1

    @contextmanager
    def adapter(self) -> Iterator[Path]:
        """Folder of its adapters, or of the mean of checkpoints that was scored in its place; only good inside."""
        if self.average_last == 1:
            yield CheckpointFolder(self.folder).adapter
            return
        run = CheckpointFolder(self.folder).run.output
        number = next(
            saved.checkpoint
            for saved in Run.read(run).checkpoints
            if saved.folder and run.parent / saved.folder == self.folder
        )
        with temporary_folder(Path(gettempdir()) / "adapter") as place:
            mean = evaluated_adapter(run, number, self.average_last, place)
            assert mean is not None
            yield mean

    def base(self, part: str) -> Path:
        """Folder of the base `encoder` or `llm`: where it was in training, else where its reference says."""
        used: Path = getattr(_spec(self.folder), part)
        reference = self.spec.encoder.base if part == "encoder" else self.spec.llm.base
        return used if used.is_dir() else base_folder(reference)

    def model(self, load_in_4bit: bool) -> LlastForConditionalGeneration:
        """The model with this checkpoint's adapters."""
        model = LlastForConditionalGeneration.from_spec(
            self.spec, self.base("encoder"), self.base("llm"), load_in_4bit
        )
        with self.adapter() as adapter:
            return load_adapters(model, adapter).eval()

    def processor(self) -> LlastProcessor:
        """The model's prompts and tokenizer."""
        return LlastProcessor.from_llm(self.base("llm"), self.spec.llm.template)


def find_checkpoint(model: Path, number: int | None) -> TrainedCheckpoint:
    """A checkpoint by its own folder, or one of a run.

    Args:
        model: a run (`results/{experiment}/seed{n}`, its folder `train` or its `run.json`), or a checkpoint
            (`.../checkpoints/step-{n}`).
        number: which of a run's checkpoints; None: the one with the best scores on dev, without scores there the last.
            One that was scored as a mean of checkpoints stands for that mean.

    Raises:
        DataError: there is no such thing, or it is not complete.
    """
    for run in (model, model / "run.json", Path(layout.run_manifest(model, "train"))):
        if run.name == "run.json" and run.is_file():
            return _of_run(run, number)
    folder = checkpoint_at(model)
    if folder is None:
        raise DataError(
            f"{model} is neither a finished run (results/NAME/seed1), nor a checkpoint "
            "(.../checkpoints/step-000100), nor an exported folder."
        )
    if not folder.complete:
        raise DataError(
            f"{folder.path} is not complete: its training was interrupted. Take another checkpoint."
        )
    if number is not None:
        raise DataError(f"{folder.path} is one checkpoint: leave --checkpoint out.")
    return _checkpoint(folder.path)


def load(model: Path, number: int | None = None) -> tuple[LlastForConditionalGeneration, LlastProcessor]:
    """Load whatever `find_checkpoint` finds, or an exported folder, on the GPU if there is one."""
    loaded: Any
    if is_exported(model):
        loaded = LlastForConditionalGeneration.from_pretrained(model)
        processor = LlastProcessor.from_pretrained(model)
    else:
        found = find_checkpoint(model, number)
        loaded, processor = found.model(found.spec.llm.load_in_4bit), found.processor()
    return loaded.to("cuda" if torch.cuda.is_available() else "cpu"), processor


def _of_run(run: Path, number: int | None) -> TrainedCheckpoint:
    value = Run.read(run)
    wanted = layout.score_file(".", "*" if number is None else number, "*")
    files = sorted(run.parents[1].glob(wanted))
    results = read_results([run], files) if files else None
    if number is None:
        number = results.chosen[0].number if results else value.checkpoints[-1].checkpoint
    folder = value.checkpoint(number, run).folder
    if folder is None:
        raise DataError(f"{run} is of kind {value.kind}, which is not trained. Name a run that is.")
    scored = (
        [checkpoint for checkpoint in results.checkpoints if checkpoint.number == number] if results else []
    )
    return _checkpoint(run.parent / folder, scored[0] if scored else None)


def _spec(folder: Path) -> RunSpec:
    return RunSpec.read(CheckpointFolder(folder).run.spec)


def _checkpoint(folder: Path, scored: Checkpoint | None = None) -> TrainedCheckpoint:
    spec = _spec(folder)
    averaged = {file.average_last for file in scored.files.values()} if scored else {1}
    if len(averaged) > 1:
        raise DataError(
            f"the scores of {folder} are of different averages of checkpoints (decoding.average_last). Score them anew."
        )
    return TrainedCheckpoint(
        folder=folder,
        spec=spec.options,
        experiment=spec.experiment,
        seed=spec.seed,
        step=CheckpointFolder(folder).step,
        scored=scored,
        average_last=averaged.pop(),
    )
