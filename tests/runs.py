"""A `run.json` and training records for tests of what is made from them."""

from collections.abc import Sequence
from typing import Any

from llast.artifacts.run import Run, RunCheckpoint
from llast.artifacts.training import TrainingRecord
from llast.config.experiment import (
    AdaptorOptions,
    EncoderOptions,
    LlmOptions,
    MixtureOptions,
    TrainingOptions,
)
from llast.config.steps import TrainSpec


def training_record(step: int, time: float, **more: Any) -> TrainingRecord:
    """The record of a training step; `more` are fields of `TrainingRecord`."""
    fields: dict[str, Any] = {
        "loss": 100 / (step + 9), "learning_rate": 1e-4, "grad_norm": 0.5, "target_tokens_per_s": 900.0,
        "tokens_per_s": 9000.0, "rows_per_s": 32.0, "seconds": 1.0, "wait_s": 0.01, "rows": 32, "epoch": step / 100,
        "cpu_percent": 75.0, "memory_mb": 4096.0,
    }  # fmt: skip
    return TrainingRecord(step=step, time=time, **(fields | more))


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
