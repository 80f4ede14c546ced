"""A training step as a training takes it, DeepSpeed included, of a made-up model; with nearly nothing to compute."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from training.model import Shape, build
from training.rows import paper_rows

from llast.config.experiment import TrainingOptions
from llast.model.lora import trainable_parameters
from llast.training.dataset import TrainingRows
from llast.training.engine import init_process_group, start_engine
from llast.training.loader import Loader, Update, split
from llast.training.sampler import UpdateSampler
from llast.training.step import StepResult, optimise

CLIPS, SECONDS = 2, 0.3
"""Clips that stand for a micro-batch, and their mean length."""


@dataclass(frozen=True)
class Step:
    """An update that can be trained on again and again.

    Attributes:
        engine: the DeepSpeed engine.
        plain: the same around a second model, without DeepSpeed.
        rows: those that stand for the update's.
        update: as it is computed.
        positions: LLM positions of the update that it stands for.
        device: of this rank.
    """

    engine: Any
    plain: "Plain"
    rows: TrainingRows
    update: Update
    positions: int
    device: torch.device

    @property
    def micro_batches(self) -> int:
        """How many pieces the update is computed in."""
        return len(self.update.micro_batches)

    def take(self, engine: Any = None) -> StepResult:
        """An optimiser step."""
        return optimise(engine or self.engine, self.update, self.rows, 1e-5, self.device, False, None)


class Plain:
    """What `optimise` asks of an engine, without DeepSpeed: torch's AdamW after the last micro-batch."""

    def __init__(self, model: nn.Module) -> None:
        self.module = model
        self._parameters = trainable_parameters(model)
        self.optimizer = torch.optim.AdamW(self._parameters, lr=1e-5, fused=True)
        self._last, self._norm = False, torch.zeros(())

    def __call__(self, **batch: torch.Tensor) -> Any:
        return self.module(**batch)

    def backward(self, loss: torch.Tensor) -> None:
        """Add to the gradients."""
        loss.backward()

    def set_gradient_accumulation_boundary(self, last: bool) -> None:
        """Whether the next `step` is one."""
        self._last = last

    def step(self) -> None:
        """Clip, step, and forget the gradients, if this was the last micro-batch."""
        if self._last:
            self._norm = nn.utils.clip_grad_norm_(self._parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()

    def get_global_grad_norm(self) -> torch.Tensor:
        """Of the last step, before clipping."""
        return self._norm


def one_rank(shape: Shape, window: str, count: int, folder: Path) -> Step:
    """A process group of this process alone, with a model on it, and an update of as many rows.

    The update is divided as rows of CoVoST-2's lengths are; then a few very short clips take the place of what is in
    each micro-batch: as many operators, and next to no arithmetic.

    Args:
        shape: of the model; in float32 on a CPU, else in bf16.
        window: of the encoder.
        count: rows of the update.
        folder: for the rows' files.
    """
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    names = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
    device = init_process_group()
    precision, dtype = ("bf16", torch.bfloat16) if device.type == "cuda" else ("float32", torch.float32)
    model = build(shape, window, device, dtype)
    options = TrainingOptions(max_steps=1, rows_per_update=count, precision=precision)
    budget = options.tokens_per_micro_batch

    real = paper_rows(folder / "real", count, shape.vocabulary, stack=1)
    divided = next(Loader(real, UpdateSampler(real.clip_of_row, count, 0), 0, 1, budget, True).updates(0, 1))
    short = paper_rows(folder / "short", count, shape.vocabulary, stack=1, seconds=SECONDS)
    clips = next(UpdateSampler(short.clip_of_row, count, 0).epoch(0))[: CLIPS * len(divided.micro_batches)]
    batches = [
        next(split(short, clips[start : start + CLIPS], 0, 1, budget, True))
        for start in range(0, len(clips), CLIPS)
    ]
    used = [example for batch in batches for example in batch.examples]
    update = Update(1, 1.0, used, sum(map(short.length, used)), short.target_tokens(used), batches)
    plain = Plain(build(shape, window, device, dtype))
    return Step(start_engine(model, options), plain, short, update, divided.positions, device)
