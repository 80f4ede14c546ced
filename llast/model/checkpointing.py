"""Activation checkpointing that keeps what attention gave: small to hold, costly to compute again."""

from functools import partial
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import create_selective_checkpoint_contexts

from llast.model.memory_budget import is_out_of_memory

ATTENTION = [
    getattr(torch.ops.aten, name).default
    for name in (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
    )
]
BYTES_PER_TRAINED = 16
"""Of a trained parameter: its gradient, and what the optimiser holds of it in float32."""
SHARE = 0.7
"""Of the memory that is left which activations may take; the rest is for what an operator needs while it runs."""


def checkpoint_activations(part: Any) -> None:
    """Let the blocks of an encoder or LLM compute their activations again in the backward pass, all but attention's."""
    part.activation_checkpointing_enable(
        {
            "use_reentrant": False,
            "context_fn": partial(create_selective_checkpoint_contexts, ATTENTION),
        }
    )


def activations(model: nn.Module, batch: dict[str, torch.Tensor]) -> int:
    """Bytes that a forward pass holds for the backward pass, without the weights.

    Args:
        model: in training mode; its loss is not used.
        batch: arguments of its forward pass, on its device.
    """
    weights = {part.untyped_storage().data_ptr() for part in (*model.parameters(), *model.buffers())}
    held: dict[int, int] = {}

    def hold(saved: torch.Tensor) -> torch.Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return saved

    with saved_tensors_hooks(hold, lambda saved: saved):
        output = model(**batch)  # alive until all is counted, so that no address comes twice
    size = sum(held.values())
    del output
    return size


def memory_asks(model: nn.Module, batch: dict[str, torch.Tensor], times: float, processes: int) -> bool:
    """Whether a micro-batch has more activations than there is memory for: then they have to be computed again.

    Args:
        model: on its device, with its adapters, in training mode.
        batch: a few clips, on the same device.
        times: how many times as large a micro-batch may be.
        processes: that share this machine's memory, where there is no GPU.
    """
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    device = next(model.parameters()).device
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = psutil.virtual_memory().available // processes
    try:
        needed = times * activations(model, batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return True
    return needed > SHARE * (free - BYTES_PER_TRAINED * trained)
