"""The loss of some targets, forward and backward, with a vocabulary like Qwen's: its process has its peak memory.

`python benchmarks/training/loss.py SIDE TARGETS`; `none` stops before the loss.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parents[2]))

from llast.model.branches import logits_of
from llast.model.loss import target_loss

VOCABULARY, WIDTH = 151_936, 64


def main(side: str, targets: int) -> None:
    """One side's loss and gradient of random states; `none`: of none."""
    torch.set_num_threads(2)
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=VOCABULARY,
        tie_word_embeddings=True,
    )
    llm = LlamaForCausalLM(config).requires_grad_(False)
    hidden = torch.randn(targets, WIDTH, requires_grad=True)
    labels = torch.randint(VOCABULARY, (targets,))
    if side == "pieces":
        target_loss(llm, hidden, labels).backward()
    elif side == "whole":
        nn.functional.cross_entropy(logits_of(llm, hidden), labels, reduction="sum").backward()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
