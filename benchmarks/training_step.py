"""A training step against one that behaves as the released code does: rows a second and memory, same weights and rows.

What the released code does is written in benchmarks/training/released.py. `--device cuda --shape 2b` takes the shapes
of LLaST-2B (random weights, bf16) and says what share of the GPU's matrix rate is used. DeepSpeed is not needed: the
same model, batches and optimiser run in a plain loop on both sides.
"""

import os
import sys
import tempfile
from pathlib import Path

from record import Measured, in_turn, main, run

CHILD = Path(__file__).parent / "training" / "sides.py"
TARGETS = {"30s": 4.0, "clip": 10.0}


def measure(full: bool, device: str, shape: str) -> list[Measured]:
    """The step of each window against the released one; memory first, while this process is still small."""
    shape = "cpu-reduced" if shape == "cpu" and not full else shape
    at_once = 2 if shape == "tiny" else 16
    memory = {side: peak(side, device, shape, at_once) for side in ("released", "30s", "clip")}
    import torch
    from training.sides import SIDES, Sides, matmul_flops

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    gpu = device == "cuda"
    rows, rounds = (at_once, 1) if shape == "tiny" else (256, 5) if gpu else (64, 1) if full else (32, 1)
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(shape, device, rows, 16_384 if gpu else 4_096, Path(folder))
        seconds = in_turn({side: lambda side=side: sides.step(side) for side in SIDES}, rounds, warm_up=gpu)
        flops = {side: sides.flops(side) for side in TARGETS}
        kernels = {side: sides.kernel_share(side) for side in TARGETS}
        tokens, positions = sides.target_tokens, sides.positions
    peak_rate = matmul_flops(device)
    used = {window: flops[window] / seconds[window] for window in TARGETS}
    size = f"{shape}, {rows} rows, {positions} LLM positions, {device}"
    released = rows / seconds["released"]
    found = []
    for window, target in TARGETS.items():
        found += [
            Measured(
                f"training_step_{window}",
                f"a training step with window {window} takes {target:g} times as many rows a second ({size}; "
                f"{tokens / seconds[window]:,.0f} target tokens a second)",
                rows / seconds[window],
                "rows/s",
                released,
                "the released step",
                target * released,
                f"target: {target:g} times",
            ),
            Measured(
                f"training_memory_{window}",
                f"{at_once} rows at once take half the memory with window {window} ({shape}, {device})",
                memory[window],
                "MiB",
                memory["released"],
                "the released step",
                memory["released"] / 2,
                "target: half",
                lower_is_better=True,
            ),
            Measured(
                f"training_kernels_{window}",
                f"a training step with window {window} spends its time in torch's kernels ({size})",
                100 * kernels[window],
                "%",
                limit=90,
                limit_is="target",
            ),
            Measured(
                f"training_utilisation_{window}",
                f"matrix products executed in a step with window {window}, recomputation included ({size})",
                used[window] / 1e9,
                "GFLOP/s",
                limit=peak_rate / 1e9,
                limit_is="one large matrix product",
                rates=rates(gpu, used["30s"], peak_rate) if window == "30s" else {},
            ),
        ]
    return found


def rates(gpu: bool, used: float, peak_rate: float) -> dict[str, float]:
    """Figures for `llast plan`."""
    if gpu:
        return {"gpu_flops": peak_rate, "gpu_utilisation": used / peak_rate}
    return {"cpu_train_flops": used / len(os.sched_getaffinity(0))}


def peak(side: str, device: str, shape: str, rows: int) -> float:
    """Peak memory of a side in MiB, in a process of its own that gives back what it frees.

    glibc's heap keeps freed tensors of up to 32 MiB, and seldom fits another into their place.
    """
    options = ["--shape", shape, "--device", device, "--rows", str(rows)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(256 * 1024)}
    return float(run([sys.executable, str(CHILD), side, *options], env=environment).output.splitlines()[-1])


if __name__ == "__main__":
    main(measure, device=("cpu", "cuda"), shape=("cpu", "tiny", "2b"))
