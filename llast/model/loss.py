"""Cross-entropy that never holds the logits of all targets: a vocabulary of 150,000 takes 0.6 MB for each of them."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from llast.model.branches import logits_of

LOGITS_BYTES = 256 * 2**20
"""Of the logits, in float32, that are held at once; their gradient takes as much again."""


def target_loss(llm: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy of targets, scalar float32.

    With the loss of a piece its gradient is computed as well, so that the backward pass needs no logits.

    Args:
        llm: a causal LM whose output layer is frozen.
        hidden: (targets, width), what its last block gave.
        labels: (targets,) token ids.
    """
    assert not any(weight.requires_grad for weight in llm.get_output_embeddings().parameters())
    size = max(1, LOGITS_BYTES // (4 * llm.config.get_text_config().vocab_size))
    loss: torch.Tensor = _Loss.apply(hidden, labels, llm, size)
    return loss


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, labels: torch.Tensor, llm: Any, size: int) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        losses, gradients = [], []
        for part, targets in zip(hidden.split(size), labels.split(size), strict=True):
            with torch.set_grad_enabled(wanted):
                part = part.detach().requires_grad_(wanted)
                loss = nn.functional.cross_entropy(logits_of(llm, part), targets, reduction="sum")
            losses.append(loss.detach())
            if wanted:
                loss.backward()  # reaches `part` only: the output layer is frozen
                gradients.append(part.grad)
            del loss, part  # with the logits, before the next ones are made
        ctx.save_for_backward(*gradients)
        return torch.stack(losses).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return torch.cat(ctx.saved_tensors) * gradients[0], None, None, None
