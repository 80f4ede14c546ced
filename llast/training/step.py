"""One optimiser step: every micro-batch of an update, over all ranks."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed

from llast.training.dataset import TrainingRows
from llast.training.loader import Update


class TrainingDiverged(RuntimeError):
    """A loss or gradient that is not finite, or a loss that explodes."""


@dataclass(frozen=True)
class StepResult:
    """What a step gave; the same on every rank.

    Attributes:
        loss: mean cross-entropy per target token of the update.
        grad_norm: norm of the update's gradient, before clipping.
        stop: whether some rank was asked to stop.
    """

    loss: float
    grad_norm: float
    stop: bool


def optimise(
    engine: Any,
    update: Update,
    rows: TrainingRows,
    learning_rate: float,
    device: torch.device,
    stop: bool,
    loss_limit: float | None,
) -> StepResult:
    """One optimiser step; every rank calls this with its own part of the update.

    The engine averages gradients over ranks, so each summed loss is divided by the update's global count of target
    tokens and multiplied by the number of ranks: the result does not depend on who holds which row.

    Args:
        engine: the DeepSpeed engine.
        update: with this rank's micro-batches.
        rows: where they are from, for messages.
        learning_rate: of this step.
        device: of this rank.
        stop: whether this rank was asked to stop.
        loss_limit: largest loss of an update that is not an explosion; None: any.

    Raises:
        TrainingDiverged: on every rank, with the clips of the micro-batches that are to blame.
    """
    ranks = torch.distributed.get_world_size()
    for group in engine.optimizer.param_groups:
        group["lr"] = learning_rate
    tokens = update.target_tokens
    losses = torch.zeros(len(update.micro_batches), dtype=torch.float64, device=device)
    for number, batch in enumerate(update.micro_batches):
        engine.set_gradient_accumulation_boundary(number == len(update.micro_batches) - 1)
        tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.tensors.items()}
        loss = engine(**tensors).loss * float(batch.counts)
        engine.backward(loss * (ranks / tokens))
        engine.step()
        losses[number] = loss.detach()
    # One collective for both, and on a GPU the only wait for the device in a step.
    shared = torch.stack([losses.sum(), torch.tensor(float(stop), dtype=torch.float64, device=device)])
    torch.distributed.all_reduce(shared)
    total, asked = shared.tolist()
    loss, grad_norm = total / tokens, float(engine.get_global_grad_norm())
    if (
        not math.isfinite(loss)
        or not math.isfinite(grad_norm)
        or (loss_limit is not None and loss > loss_limit)
    ):
        raise TrainingDiverged(_blame(update, rows, losses.tolist(), loss, grad_norm, loss_limit))
    return StepResult(loss, grad_norm, asked > 0)


def _blame(
    update: Update,
    rows: TrainingRows,
    losses: list[float],
    loss: float,
    grad_norm: float,
    loss_limit: float | None,
) -> str:
    """What happened and the clips that it happened with, in one line, the same on every rank."""
    means = [
        total / max(1, rows.target_tokens(batch.examples))
        for total, batch in zip(losses, update.micro_batches, strict=True)
    ]
    mine = [
        (
            math.inf if not math.isfinite(mean) else mean,
            sorted({rows.name(example) for example in batch.examples}),
        )
        for mean, batch in zip(means, update.micro_batches, strict=True)
        if batch.counts
    ]
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, mine)
    batches = [batch for part in every for batch in part]
    bound = math.inf if not math.isfinite(loss) else (loss_limit or 0.0)
    to_blame = [clips for mean, clips in batches if mean >= bound]
    names = " ".join(
        sorted({name for clips in to_blame or [clips for _, clips in batches] for name in clips})
    )
    what = f"loss {loss:.4g}, gradient norm {grad_norm:.4g}"
    if math.isfinite(loss) and math.isfinite(grad_norm):
        what += f", {loss_limit:.4g} is the limit (training.loss_limit)"
    return (
        f"training diverged at step {update.step}: {what}. Look at these clips, or lower training.learning_rate; "
        f"clips of the batch: {names}"
    )
