"""A `run.json` for tests of what is made from it."""

from collections.abc import Sequence
from typing import Any

from llast.artifacts.run import Run, RunCheckpoint
from llast.config.experiment import (
    AdaptorOptions,
    EncoderOptions,
    LlmOptions,
    MixtureOptions,
    TrainingOptions,
)
from llast.config.steps import TrainSpec


def trained_run(
    experiment: str = "tiny", seed: int = 1, pairs: Sequence[str] = ("fr_en",), **more: Any
) -> Run:
    """A run of an experiment that is trained on these pairs; `more` are fields of `Run`."""
    options = TrainSpec(
        encoder=EncoderOptions(base="./bases/whisper", window="clip"),
        adaptor=AdaptorOptions(stack=4),
        llm=LlmOptions(base="./bases/llama"),
        mixture=MixtureOptions(pairs=list(pairs)),
        training=TrainingOptions(),
    )
    fields: dict[str, Any] = {
        "identity": "abc",
        "folder": "abc",
        "trained_pairs": list(pairs),
        "checkpoints": [RunCheckpoint(checkpoint=1, step=150, folder="abc/checkpoints/step-000150")],
        "options": options,
    }
    return Run(experiment=experiment, seed=seed, **(fields | more))
