"""Memory of the loss at all targets of a full micro-batch, with a vocabulary of 151,936, against all logits at once."""

import os
import sys
from pathlib import Path

from record import Measured, main, run

CHILD = Path(__file__).parent / "training" / "loss.py"
TARGETS, PART = 16_384, 8
MOST_MIB = 1024


def measure(full: bool) -> list[Measured]:
    """The other side from an eighth of the targets: with all it would hold more than 8 GiB."""
    targets = TARGETS if full else TARGETS // 8
    none = peak("none", targets)
    return [
        Measured(
            "training_loss_memory",
            f"loss and gradient of {targets:,} targets with a vocabulary of 151,936 hold less than {MOST_MIB:,} MiB "
            "(in float32, on cpu)",
            peak("pieces", targets) - none,
            "MiB",
            PART * (peak("whole", targets // PART) - none),
            f"all logits at once, from {targets // PART:,} targets",
            target=MOST_MIB,
            lower_is_better=True,
        )
    ]


def peak(side: str, targets: int) -> float:
    """Of a process of its own that gives back what it frees."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(256 * 1024)}
    return run([sys.executable, str(CHILD), side, str(targets)], env=environment).peak_mib


if __name__ == "__main__":
    main(measure)
