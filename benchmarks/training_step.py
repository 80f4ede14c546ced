"""A training step against one that behaves as the released code does: rows a second and memory, same weights and rows.

What the released code does is written in benchmarks/training/released.py. `--device cuda --shape 2b` takes the shapes
of LLaST-2B (random weights, bf16) and says what share of the GPU's matrix rate is used. DeepSpeed is not needed: the
same model, batches and optimiser run in a plain loop on both sides.
"""

import os
import sys
import tempfile
from pathlib import Path

from record import Measured, in_turn, main, named, run

CHILD = Path(__file__).parent / "training" / "sides.py"
TARGETS = {"30s": 4.0, "clip": 10.0}
GPU_TARGETS = {"30s": 8.0, "clip": 8.0}
SIZES = {"tiny": (2, 2, 1), "small-reduced": (8, 8, 2), "small": (16, 64, 2), "2b": (16, 256, 5)}
"""By shape: rows that are held at once for the memory; rows of a step, and how often it is timed."""

KERNELS, UTILISATION = 90.0, 0.4


def measure(full: bool, device: str, shape: str) -> list[Measured]:
    """The step of each window against the released one; memory first, while this process is still small."""
    sized = "small-reduced" if shape == "small" and not full else shape

    def asked(target: float) -> float | None:
        """Nothing is asked of a model so small that its step is half Python."""
        return target if sized in ("small", "2b") else None

    at_once, rows, rounds = SIZES[sized]
    memory = {side: peak(side, device, sized, at_once) for side in ("released", *TARGETS)}
    import torch
    from flops import matmul_flops
    from training.sides import SIDES, Sides

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    gpu = device == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(sized, device, rows, 16_384 if gpu else 4_096, Path(folder))
        for side in SIDES:
            sides.prepare(side)
        seconds = in_turn({side: lambda side=side: sides.step(side) for side in SIDES}, rounds, warm_up=gpu)
        flops = {side: sides.flops(side) for side in TARGETS}
        kernels = {side: sides.kernel_share(side) for side in TARGETS}
        tokens, positions = sides.target_tokens, sides.positions
    peak_rate = matmul_flops(device)
    size = f"model {sized} on {device}, {rows} rows, {positions} LLM positions"
    name = named(shape, device)
    released = rows / seconds["released"]
    found = []
    for window, times in (GPU_TARGETS if gpu else TARGETS).items():
        executed, again = flops[window]
        used = executed / seconds[window]
        by_row = rows / seconds[f"{window} rows"]
        found += [
            Measured(
                f"training_step_{window}{name}",
                f"a training step with window {window} takes {times:g} times as many rows a second ({size})",
                rows / seconds[window],
                "rows/s",
                released,
                "the released step",
                ours_is=f"{tokens / seconds[window]:,.0f} target tokens a second",
                target=asked(times * released),
                rounds=rounds,
            ),
            Measured(
                f"training_packing_{window}{name}",
                f"a training step with window {window} is quicker if a clip's rows share a sequence ({size})",
                rows / seconds[window],
                "rows/s",
                by_row,
                "a sequence per row",
                target=asked(by_row),
                rounds=rounds,
            ),
            Measured(
                f"training_memory_{window}{name}",
                f"{at_once} rows at once take half the memory with window {window} (model {sized} on {device})",
                memory[window],
                "MiB",
                memory["released"],
                "the released step",
                target=asked(memory["released"] / 2),
                lower_is_better=True,
            ),
            Measured(
                f"training_kernels_{window}{name}",
                f"a training step with window {window} spends its time in torch's kernels ({size})",
                100 * kernels[window],
                "%",
                target=asked(KERNELS),
            ),
            Measured(
                f"training_utilisation_{window}{name}",
                f"matrix products executed in a step with window {window}, what is computed again included ({size})",
                used / 1e9,
                "GFLOP/s",
                ours_is="without what is computed again "
                f"{(executed - again) / seconds[window] / peak_rate:.0%} of the limit",
                target=asked(UTILISATION * peak_rate / 1e9),
                limit=peak_rate / 1e9,
                limit_is="one large matrix product",
                rounds=rounds,
                rates=rates(device, shape, used, peak_rate) if window == "30s" else {},
            ),
        ]
    return found


def rates(device: str, shape: str, used: float, peak_rate: float) -> dict[str, float]:
    """Figures for `llast plan`, of the shapes that stand for real ones."""
    if (device, shape) == ("cuda", "2b"):
        return {"gpu_flops": peak_rate, "gpu_utilisation": used / peak_rate}
    if (device, shape) == ("cpu", "small"):
        return {"cpu_train_flops": used / len(os.sched_getaffinity(0))}
    return {}


def peak(side: str, device: str, shape: str, rows: int) -> float:
    """Peak memory of a side in MiB, in a process of its own that gives back what it frees.

    glibc's heap keeps freed tensors of up to 32 MiB, and seldom fits another into their place.
    """
    options = ["--shape", shape, "--device", device, "--rows", str(rows)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(256 * 1024)}
    return float(run([sys.executable, str(CHILD), side, *options], env=environment).output.splitlines()[-1])


if __name__ == "__main__":
    main(measure, device=("cpu", "cuda"), shape=("small", "tiny", "2b"))
