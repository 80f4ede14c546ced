"""Reading branches: what an LLM is given when several rows share a clip, and what it makes of it.

A sequence is a shared start, then a branch per row. Each branch reads the start and itself, as if it stood there alone.
"""

from inspect import signature
from typing import Any

import torch


def read_branches(
    llm: Any, embeddings: torch.Tensor, branch: torch.Tensor, position_ids: torch.Tensor
) -> torch.Tensor:
    """Hidden states of an LLM, (clips, length, width).

    Args:
        llm: a causal LM.
        embeddings: (clips, length, width).
        branch: (clips, length) 0 for the shared start, 1.. for the rows, -1 for padding.
        position_ids: (clips, length); those of a branch go on from the shared start.
    """
    hidden: torch.Tensor = llm.get_decoder()(
        inputs_embeds=embeddings,
        attention_mask=_mask(branch, position_ids, embeddings.dtype, llm.config),
        position_ids=position_ids,
        use_cache=False,
    ).last_hidden_state
    return hidden


def logits_of(llm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Logits in float32, as in the LLM's own forward pass: Cohere and Granite scale them, Gemma 2 caps them."""
    config = llm.config.get_text_config()
    logits: torch.Tensor = llm.get_output_embeddings()(hidden).float()
    if scale := getattr(config, "logit_scale", None):
        logits = logits * scale
    if scale := getattr(config, "logits_scaling", None):
        logits = logits / scale
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = cap * torch.tanh(logits / cap)
    return logits


def logits_alone(
    llm: Any, embeddings: torch.Tensor, inside: torch.Tensor, wanted: torch.Tensor
) -> torch.Tensor:
    """Logits in float32 of sequences of one row each, by the LLM's own forward pass.

    Args:
        llm: a causal LM.
        embeddings: (rows, length, width).
        inside: (rows, length) bool, false for the padding on the right.
        wanted: (rows, length) bool, where logits are returned.
    """
    kept = wanted.shape[1] - int(wanted.any(dim=0).nonzero()[0])  # from the first target on
    some = {"logits_to_keep": kept} if "logits_to_keep" in signature(llm.forward).parameters else {}
    logits = llm(inputs_embeds=embeddings, attention_mask=inside.long(), use_cache=False, **some).logits
    chosen: torch.Tensor = logits[:, -kept:][wanted[:, -kept:]].float()
    return chosen


def _mask(branch: torch.Tensor, position_ids: torch.Tensor, dtype: torch.dtype, config: Any) -> Any:
    """The mask that an LLM takes: one, or one for each kind of its layers where some see a sliding window only."""
    attention = config._attn_implementation
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    whole = branch_mask(branch, dtype, attention)
    if window is None:
        return whole
    near = position_ids[:, :, None] - position_ids[:, None, :] < window
    sliding = branch_mask(branch, dtype, attention, near)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or []):
        return sliding
    return {"full_attention": whole, "sliding_attention": sliding}


def branch_mask(
    branch: torch.Tensor, dtype: torch.dtype, attention: str | None, near: torch.Tensor | None = None
) -> torch.Tensor:
    """Who sees whom: (clips, 1, length, length), boolean for sdpa, additive for eager attention.

    A position sees earlier positions of the shared start (branch 0) and of its own branch, those that are `near` if
    that is given, (clips, length, length). Padding sees itself, for a row without any key has no softmax. A boolean
    mask is silently wrong under eager attention, which adds it.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    seen = causal & ((key == 0) | (key == query)) & (key >= 0)
    if near is not None:
        seen = seen & near
    seen = seen | torch.eye(length, dtype=torch.bool, device=branch.device)
    if attention == "eager":
        floor = torch.finfo(dtype).min
        return torch.zeros(seen.shape, dtype=dtype, device=branch.device).masked_fill(~seen, floor)[:, None]
    return seen[:, None]
