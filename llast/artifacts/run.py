"""`run.json`: what was trained, or what is evaluated as it comes, and where its checkpoints lie."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from llast.artifacts.base import Artifact, Typed
from llast.artifacts.training import Change
from llast.config.base import Pair
from llast.config.evaluation_only import CascadeExperiment, PretrainedExperiment, WhisperExperiment
from llast.config.steps import TrainSpec
from llast.errors import DataError


class RunCheckpoint(Typed):
    """A checkpoint that is evaluated.

    Attributes:
        checkpoint: its number, from 1.
        step: optimiser steps done; 0 where nothing is trained.
        folder: where it lies, from the folder of `run.json`; None where nothing is trained.
    """

    checkpoint: PositiveInt
    step: NonNegativeInt
    folder: str | None = None


Options = Annotated[
    TrainSpec | WhisperExperiment | CascadeExperiment | PretrainedExperiment, Field(discriminator="kind")
]


class Run(Artifact):
    """A finished run of an experiment with one seed.

    Attributes:
        experiment: name of the experiment.
        seed: its seed.
        identity: hash of all that decides its weights.
        folder: where its training records lie, from the folder of `run.json`; None where nothing is trained.
        trained_pairs: the pairs that count in its averages.
        steps: optimiser steps of the whole training; 0 where nothing is trained.
        seconds: time spent in training steps.
        checkpoints: its checkpoints, in order.
        options: what it is, with its kind.
        world_size: processes that trained it, at the end.
        changes: options that it went on with other values of, none of which decides its weights but by rounding.
        earlier: folders of other identities of this run, with the options that differ.
        packs_rows: whether the rows of a clip were trained in one sequence.
        environment: versions that a result depends on.
    """

    WRITTEN_BY = "train or describe"

    format: int = 2
    experiment: str
    seed: NonNegativeInt
    identity: str
    folder: str | None = None
    trained_pairs: list[Pair]
    steps: NonNegativeInt = 0
    seconds: NonNegativeFloat = 0.0
    checkpoints: list[RunCheckpoint] = Field(min_length=1)
    options: Options
    world_size: int | None = None
    changes: list[Change] = []
    earlier: dict[str, list[str]] = {}
    packs_rows: bool | None = None
    environment: dict[str, str] = {}

    @model_validator(mode="after")
    def _what_is_trained_has_folders(self) -> Self:
        folders = [self.folder, *(checkpoint.folder for checkpoint in self.checkpoints)]
        if any((folder is None) == self.trained or ".." in str(folder) for folder in folders):
            raise ValueError(f"'folder' and 'checkpoints' of kind {self.kind} name the folders {folders}")
        return self

    @property
    def kind(self) -> str:
        """`train`, `whisper`, `cascade` or `pretrained`."""
        return self.options.kind

    @property
    def trained(self) -> bool:
        """Whether it was trained."""
        return isinstance(self.options, TrainSpec)

    @property
    def key(self) -> tuple[str, int]:
        """Experiment and seed."""
        return self.experiment, self.seed

    def checkpoint(self, number: int, path: Path) -> RunCheckpoint:
        """A checkpoint by its number.

        Args:
            number: from 1.
            path: of this file, for the message.

        Raises:
            DataError: there is no such checkpoint.
        """
        for checkpoint in self.checkpoints:
            if checkpoint.checkpoint == number:
                return checkpoint
        numbers = ", ".join(str(checkpoint.checkpoint) for checkpoint in self.checkpoints)
        raise DataError(f"{path} has no checkpoint {number}, only {numbers}.")

    def model_options(self) -> dict[str, Any]:
        """The options as JSON, without what only describes the experiment or decides how it is decoded."""
        shown: dict[str, Any] = self.options.model_dump(
            mode="json", exclude={"kind", "decoding", "description", "baseline"}
        )
        return shown
