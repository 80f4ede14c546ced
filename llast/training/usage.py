"""How busy a training node is: recorded with every step, shown by MLflow under its system metrics."""

import contextlib

import psutil
import torch


def usage(device: torch.device) -> dict[str, float]:
    """Load of this node's processors and memory, and of this process's GPU, since the last call.

    Returns:
        `cpu_percent` (of all cores), `memory_mb` (in use on the node), and on a GPU `gpu_memory_mb` (most that torch
        has held) and, where nvidia-ml-py is installed (extra `gpu`), `gpu_percent`.
    """
    found = {
        "cpu_percent": psutil.cpu_percent(),
        "memory_mb": round(psutil.virtual_memory().used / 2**20, 1),
    }
    if device.type == "cuda":
        found["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
        # No nvidia-ml-py, or it may not look, or its own NVMLError: a figure to look at ends no training.
        with contextlib.suppress(Exception):
            found["gpu_percent"] = float(torch.cuda.utilization(device))
    return found
