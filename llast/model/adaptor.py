"""The adaptor between encoder and LLM."""

import torch
from torch import nn


class Adaptor(nn.Module):
    """Three linear layers with GELU between them (arXiv 2407.15415, section 3), after optional frame stacking.

    Input (clips, positions, encoder width); output (clips, ceil(positions / stack), LLM width). Encoder positions
    beyond a clip's own must be zeroed before, so that the last stacked frame does not depend on the batch.
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
        clips, positions, width = hidden.shape
        hidden = nn.functional.pad(hidden, (0, 0, 0, -positions % self.stack))
        output: torch.Tensor = self.layers(hidden.reshape(clips, -1, width * self.stack))
        return output


def stacked(positions: int, stack: int) -> int:
    """LLM positions of a clip with so many encoder positions."""
    return -(-positions // stack)
