"""How long a training is, where its checkpoints stand, and its learning rate: pure functions of its options."""

import math

from llast.config.experiment import TrainingOptions


def total_steps(rows: int, options: TrainingOptions) -> int:
    """Optimiser steps of a training run over so many rows."""
    if options.max_steps is not None:
        return options.max_steps
    assert options.epochs is not None
    return max(1, math.ceil(options.epochs * math.ceil(rows / options.rows_per_update)))


def checkpoint_steps(steps: int, checkpoints: int) -> list[int]:
    """Steps after which a checkpoint is kept, evenly spaced, the last at the end; there are at least as many steps."""
    return [round(steps * (k + 1) / checkpoints) for k in range(checkpoints)]


def learning_rate(step: int, steps: int, options: TrainingOptions) -> float:
    """Learning rate of the `step`-th optimiser step (from 1): linear warm-up, then cosine to 0."""
    warmup = options.warmup * steps
    if step <= warmup:
        return options.learning_rate * step / warmup
    done = (step - warmup) / max(1.0, steps + 1 - warmup)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
