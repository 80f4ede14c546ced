"""The adaptor between encoder and LLM."""

import torch
from torch import nn


class Adaptor(nn.Module):
    """Three linear layers with GELU between them (arXiv 2407.15415, section 3), after optional frame stacking.

    Input (LLM positions x stack, encoder width); output (LLM positions, LLM width). Where a clip's last LLM position
    is not full, zeros stand in, so that it does not depend on the batch.
    """

    def __init__(self, encoder_width: int, llm_width: int, stack: int) -> None:
        super().__init__()
        self.stack = stack
        self.layers = nn.Sequential(
            nn.Linear(encoder_width * stack, llm_width),
            nn.GELU(),
            nn.Linear(llm_width, llm_width),
            nn.GELU(),
            nn.Linear(llm_width, llm_width),
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map encoder positions to LLM positions."""
        output: torch.Tensor = self.layers(hidden.reshape(-1, hidden.shape[-1] * self.stack))
        return output


def stacked(positions: int, stack: int) -> int:
    """LLM positions of a clip with so many encoder positions."""
    return -(-positions // stack)
