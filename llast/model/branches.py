"""Reading branches: what an LLM is given when several rows share a clip, and what it makes of it.

A sequence is a shared start, then a branch per row. Each branch reads the start and itself, as if it stood there alone.
"""

from typing import Any

import torch

from llast.errors import ConfigError


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


@torch.no_grad()
def check_branches(llm: Any) -> None:
    """Make sure that an LLM reads a branch as it would read that row alone.

    Raises:
        ConfigError: it does not: it has no attention, or takes no mask for each pair of positions.
    """
    inputs = llm.get_input_embeddings()(torch.arange(6, device=llm.device)[None])
    branch = torch.tensor([[0, 0, 1, 1, 2, 2]], device=llm.device)
    places = torch.tensor([[0, 1, 2, 3, 2, 3]], device=llm.device)
    alone = [0, 1, 4, 5]
    problem = ""
    try:
        shared = read_branches(llm, inputs, branch, places)[:, 4:].float()
        separate = read_branches(llm, inputs[:, alone], branch[:, alone], places[:, alone])[:, 2:].float()
        if (shared - separate).norm() > 0.1 * separate.norm():
            problem = "a row sees others"
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        problem = str(error)
    if problem:
        raise ConfigError(
            f"an LLM of type '{llm.config.model_type}' cannot be trained here: several rows share a clip under a mask "
            f"for each pair of positions, which it does not take ({problem}). Choose another llm.base."
        )


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
