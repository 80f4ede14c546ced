"""Operators and seconds of a training step of the true depth and next to no width: what a GPU spends on launching.

A model of 32 encoder and 22 LLM layers with LoRA on all of them has the operators of LLaST-2B whatever its width. On
short clips, 32 wide, they have nearly nothing to compute: processor time on one core is that of Python and dispatch.
"""

import os
import tempfile
import time
from pathlib import Path

from record import Measured, in_turn, main

ROWS = 64
OPERATORS, LAUNCHES_S, WAITS = 7_860, 0.24, 1
"""Targets: a quarter of the operators and a fifth of the time that there were when they were first counted."""
WITHOUT = "the same without DeepSpeed"
PHASES = ("forward", "recomputation", "backward", "optimiser", "between")


def measure(full: bool) -> list[Measured]:
    """One update, by the engine and the step that training uses."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import torch
    from training.model import SHAPES
    from training.operators import Operators, Phased
    from training.step import one_rank

    torch.set_num_threads(1)
    rounds = 5 if full else 2
    with tempfile.TemporaryDirectory() as folder:
        step = one_rank(SHAPES["thin"], "clip", ROWS, Path(folder))
        step.take()  # the optimiser's state comes with the first
        step.take(step.plain)
        took = in_turn(
            {"ours": step.take, "plain": lambda: step.take(step.plain)}, rounds, clock=time.process_time
        )
        counted = Operators(step.engine.module)
        with counted:
            step.take(Phased(step.engine, counted))
        bare = Operators(step.plain.module)
        with bare:
            step.take(Phased(step.plain, bare))
    size = f"{ROWS} rows, {step.positions} LLM positions, 32 and 22 layers of width 32, window clip"
    each = "; ".join(f"{name} {counted.computing[name]:,} + {counted.views[name]:,} views" for name in PHASES)
    waits = sum(map(len, counted.waits.values()))
    return [
        Measured(
            "training_operators",
            f"operators that compute in a training step, views not counted ({size})",
            sum(counted.computing.values()),
            "operators",
            sum(bare.computing.values()),
            WITHOUT,
            ours_is=f"{step.micro_batches} micro-batches; {each}",
            target=OPERATORS,
            lower_is_better=True,
        ),
        Measured(
            "training_launches",
            f"processor time of a training step that has nearly nothing to compute, on one core ({size})",
            took["ours"],
            "s",
            took["plain"],
            WITHOUT,
            target=LAUNCHES_S,
            rounds=rounds,
            lower_is_better=True,
        ),
        Measured(
            "training_waits",
            f"times that the host waits for the device in a training step ({size})",
            waits,
            "waits",
            sum(map(len, bare.waits.values())),
            WITHOUT,
            ours_is="; ".join(f"{name} {len(found)}" for name, found in counted.waits.items()),
            target=WAITS,
            lower_is_better=True,
        ),
    ]


if __name__ == "__main__":
    main(measure)
