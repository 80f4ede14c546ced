"""Reading branches: what an LLM is given when several rows share a clip, and what it makes of it.

A sequence is a shared start, then a branch per row. Each branch reads the start and itself, as if it stood there alone.
"""

from inspect import signature
from typing import Any

import torch

from llast.model.layout import additive


def read_branches(
    llm: Any,
    embeddings: torch.Tensor,
    clip: torch.Tensor,
    branch: torch.Tensor,
    position_ids: torch.Tensor,
) -> torch.Tensor:
    """Hidden states of an LLM, (sequences, length, width).

    Args:
        llm: a causal LM.
        embeddings: (sequences, length, width).
        clip: (sequences, length) number of the clip, -1 for padding.
        branch: (sequences, length) 0 for the shared start of a clip, 1.. for its rows.
        position_ids: (sequences, length); those of a branch go on from the shared start.
    """
    hidden: torch.Tensor = llm.get_decoder()(
        inputs_embeds=embeddings,
        attention_mask=_mask(clip, branch, position_ids, embeddings.dtype, llm.config),
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
    """Logits in float32 of sequences of one row each, by the LLM's own forward pass. Waits for the device.

    Args:
        llm: a causal LM.
        embeddings: (rows, length, width).
        inside: (rows, length) bool, false for the padding on the right.
        wanted: (wanted,) where logits are returned, counted through (rows, length).
    """
    length = inside.shape[1]
    skipped = int((wanted % length).min())  # before the first target of any row
    kept = length - skipped
    keeps = "logits_to_keep" in signature(llm.forward).parameters
    logits = llm(
        inputs_embeds=embeddings,
        attention_mask=inside.long(),
        use_cache=False,
        **({"logits_to_keep": kept} if keeps else {}),
    ).logits[:, -kept:]
    row, column = wanted // length, wanted % length - skipped
    chosen: torch.Tensor = logits.flatten(0, 1).index_select(0, row * kept + column).float()
    return chosen


def _mask(
    clip: torch.Tensor, branch: torch.Tensor, position_ids: torch.Tensor, dtype: torch.dtype, config: Any
) -> Any:
    """The mask that an LLM takes: one, or one for each kind of its layers where some see a sliding window only."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    seen = branches_see(clip, branch)
    whole = additive(seen, dtype)
    if window is None:
        return whole
    sliding = additive(seen & (position_ids[:, :, None] - position_ids[:, None, :] < window), dtype)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or []):
        return sliding
    return {"full_attention": whole, "sliding_attention": sliding}


def branches_see(clip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    """Who sees whom, (sequences, length, length) bool.

    A position sees earlier positions of its clip: those of the shared start (branch 0) and of its own branch. Padding
    sees earlier padding: a position without any key has no softmax.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    return causal & (clip[:, :, None] == clip[:, None, :]) & ((key == 0) | (key == query))
