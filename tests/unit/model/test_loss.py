"""Cross-entropy in pieces: the loss and the gradient of the whole, and the memory of a piece."""

from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from llast.model import loss as of
from llast.model.branches import logits_of

SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL |= {"num_key_value_heads": 2, "vocab_size": 50, "pad_token_id": 0}


@pytest.mark.parametrize("family", ["llama", "cohere", "gemma2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("targets", [1, 7, 23])
def test_pieces_have_the_loss_and_gradient_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, family: str, dtype: torch.dtype, targets: int
) -> None:
    """Scaled and capped logits included; 7 at a time."""
    monkeypatch.setattr(of, "LOGITS_BYTES", 7 * 4 * 50)
    torch.manual_seed(0)
    llm: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SMALL)).to(dtype)
    llm.requires_grad_(False)
    seen: list[int] = []
    llm.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    hidden, labels = torch.randn(targets, 16, dtype=dtype), torch.randint(50, (targets,))
    found, gradients = [], []
    for loss in (of.target_loss, whole):
        own = hidden.clone().requires_grad_()
        value = loss(llm, own, labels)
        (2 * value).backward()
        assert own.grad is not None
        found.append(value.detach())
        gradients.append(own.grad)
    assert max(seen[:-1]) <= 7
    assert sum(seen[:-1]) == seen[-1] == targets
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=0)
    torch.testing.assert_close(*gradients)
    assert gradients[1].abs().max() > 0
    with torch.no_grad():
        torch.testing.assert_close(of.target_loss(llm, hidden, labels), found[0])


def whole(llm: Any, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(logits_of(llm, hidden), labels, reduction="sum")
