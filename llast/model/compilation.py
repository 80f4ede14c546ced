"""Compiled blocks: the elementwise operators of a layer become a few kernels.

All blocks of an encoder or LLM are one compiled function with their weights as arguments, for sequences of any length.
"""

import math
import shutil
from typing import Any

import torch
from torch import nn
from torch.utils._triton import has_triton
from transformers.modeling_layers import GradientCheckpointingLayer

from llast.model.memory_budget import is_out_of_memory

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}
"""Largest difference of the loss, as a share of it, that is rounding."""
VARIANTS = 64
"""Of the blocks' one function: encoder or LLM, the first block, one sequence or several, with gradients or without."""


def can_compile(device: torch.device) -> bool:
    """Whether there is what torch's compiler needs: a GPU, Triton and a C compiler."""
    return device.type == "cuda" and has_triton() and any(map(shutil.which, ("cc", "gcc", "clang")))


def compile_blocks(model: nn.Module, batch: dict[str, torch.Tensor], backend: Any = "inductor") -> str:
    """Compile the blocks of an encoder and an LLM, and try them on a batch; they stay as they were if that fails.

    Args:
        model: with its adapters, on its device; no gradient is left behind.
        batch: arguments of its forward pass, on the same device.
        backend: of torch.compile.

    Returns:
        why they are not compiled; empty if they are.
    """
    blocks = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, VARIANTS)
    training = model.training
    model.eval()  # without dropout, whose random numbers differ
    try:
        with torch.no_grad():
            expected = float(model(**batch).loss)
        for block in blocks:
            block.compile(backend=backend, dynamic=True)
        reason = _differs(model, batch, expected)
    finally:
        model.train(training)
        model.zero_grad(set_to_none=True)
    if reason:
        for block in blocks:
            block._compiled_call_impl = None
    return reason


def _differs(model: nn.Module, batch: dict[str, torch.Tensor], expected: float) -> str:
    """Why a compiled model is of no use: it fails, or its loss is another one."""
    dtype = next(model.parameters()).dtype
    try:
        loss: Any = model(**batch).loss
        loss.backward()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    found = float(loss.detach())
    if math.isclose(found, expected, rel_tol=TOLERANCE.get(dtype, 3e-2)):
        return ""
    return f"the loss of the first clips becomes {found:.4f}, not {expected:.4f}"
