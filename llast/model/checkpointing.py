"""Activation checkpointing that keeps what attention gave: small to hold, costly to compute again."""

from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import create_selective_checkpoint_contexts

ATTENTION = [
    getattr(torch.ops.aten, name).default
    for name in (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
    )
]


def checkpoint_activations(part: Any) -> None:
    """Let the blocks of an encoder or LLM compute their activations again in the backward pass, all but attention's."""
    part.activation_checkpointing_enable(
        {
            "use_reentrant": False,
            "context_fn": partial(create_selective_checkpoint_contexts, ATTENTION),
        }
    )
