"""Matrix products: how many a call executes, and how many a second the machine can."""

import re
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

AHEAD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
BACK = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def _ahead(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _back(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))


def count(call: Callable[[], object]) -> FlopCounterMode:
    """FLOPs of the matrix products of a call; attention on the CPU included, which torch does not count by itself."""
    with FlopCounterMode(display=False, custom_mapping={AHEAD: _ahead, BACK: _back}) as counter:
        call()
    return counter


def flops(call: Callable[[], object]) -> int:
    """FLOPs of a call."""
    return int(count(call).get_total_flops())


def flops_of_blocks(call: Callable[[], object]) -> int:
    """FLOPs inside the blocks of encoder and LLM, without attention: what checkpointing computes again."""
    return sum(
        done
        for module, operations in count(call).get_flop_counts().items()
        if re.search(r"\.layers\.\d+$", module)
        for operation, done in operations.items()
        if "scaled_dot_product" not in str(operation)
    )


def matmul_flops(device: str, seconds: float = 2.0) -> float:
    """FLOP/s of one large matrix product in the dtype that `device` trains in: what the hardware gives."""
    size, dtype = (8192, torch.bfloat16) if device == "cuda" else (2048, torch.float32)
    left = torch.randn(size, size, device=device, dtype=dtype)
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        started = time.perf_counter()
        for _ in range(5):
            product = left @ left
        product[0, 0].item()  # waits for the device
        best = max(best, 5 * 2 * size**3 / (time.perf_counter() - started))
    return best
