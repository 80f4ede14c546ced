"""Beam search: token for token what transformers' `generate` gives, without computing on what has ended."""

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from llast.model.beam_search import beam_search
from llast.model.decoding import Texts

PAD = 1


@pytest.fixture(scope="module")
def llm() -> LlamaForCausalLM:
    """Random weights, but of decided opinion: its texts end at all lengths."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        pad_token_id=PAD,
    )  # fmt: skip
    llm = LlamaForCausalLM(config)
    with torch.no_grad():
        llm.lm_head.weight.mul_(8)
    return llm.eval()


class Counted(Texts):
    """Texts that know how many were gone on with, call by call."""

    def __call__(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        self.counts = [*getattr(self, "counts", []), len(texts)]
        return super().__call__(texts, tokens)


@pytest.mark.parametrize("ends", [[3], [3, 7, 11, 12]])
@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize(("never", "never_first"), [((), ()), ((5, 6), (3, 20))])
@torch.no_grad()
def test_it_is_the_search_of_transformers(
    llm: LlamaForCausalLM, beams: int, ends: list[int], never: tuple[int, ...], never_first: tuple[int, ...]
) -> None:
    prompts = torch.randint(20, 40, (24, 3), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(prompts)
    mask[::3, 0] = 0
    theirs = llm.generate(  # type: ignore[misc]
        prompts, attention_mask=mask, num_beams=beams, max_new_tokens=14, do_sample=False, eos_token_id=ends,
        pad_token_id=PAD, suppress_tokens=list(never) or None, begin_suppress_tokens=list(never_first) or None,
    )[:, 3:]  # fmt: skip
    texts = Counted(llm, DynamicCache(config=llm.config), mask)
    ours = beam_search(texts.read(prompts), texts, beams, 14, ends, PAD, never, never_first)
    assert ours[:, : theirs.shape[1]].tolist() == theirs.tolist()
    assert (ours[:, theirs.shape[1] :] == PAD).all()
    lengths = (theirs != PAD).sum(1)
    assert lengths.min() < 8 < lengths.max(), "texts of all lengths, or this would tell nothing"
    assert texts.counts[0] == 24 * beams
    assert sorted(texts.counts, reverse=True) == texts.counts
    assert texts.counts[-1] < 24 * beams, "those that are done are not gone on with"
