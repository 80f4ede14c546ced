"""Models with random weights in the shapes that training_step.py compares the two ways of training with."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import LlamaConfig, WhisperConfig

from llast.config.experiment import LoraOptions
from llast.model.configuration import LlastConfig
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration


@dataclass(frozen=True)
class Shape:
    """Width, layers, heads and feed-forward width of encoder (and decoder half) and LLM; ranks of their LoRA."""

    encoder: tuple[int, int, int, int]
    llm: tuple[int, int, int, int]
    key_value_heads: int
    vocabulary: int
    ranks: tuple[int, int]


SHAPES = {
    "tiny": Shape((64, 2, 2, 128), (64, 2, 2, 128), 1, 1_000, (8, 16)),
    "small-reduced": Shape((256, 4, 4, 1024), (256, 4, 4, 688), 4, 8_000, (32, 64)),
    "small": Shape((512, 6, 8, 2048), (512, 8, 8, 1376), 8, 32_000, (64, 128)),
    # the depth of 2b, and nothing to compute
    "thin": Shape((32, 32, 2, 64), (32, 22, 2, 64), 1, 1_000, (8, 16)),
    # whisper-large-v2 with TinyLlama-1.1B, ranks of the released configuration
    "2b": Shape((1280, 32, 20, 5120), (2048, 22, 32, 5632), 4, 32_000, (128, 512)),
}


def whisper_config(shape: Shape) -> WhisperConfig:
    """Both halves alike, as in Whisper."""
    width, layers, heads, ffn = shape.encoder
    return WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn,
    )


def build(shape: Shape, window: str, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A LLaST model with LoRA on both sides."""
    width, layers, heads, ffn = shape.llm
    llm = LlamaConfig(
        hidden_size=width,
        intermediate_size=ffn,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=shape.key_value_heads,
        vocab_size=shape.vocabulary,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = LlastForConditionalGeneration(LlastConfig(whisper_config(shape), llm, window=window))
    model.to(dtype).requires_grad_(False)
    # The presets' dropout of 0.05 would cost both sides the same; without it their losses can be compared.
    ranks = [LoraOptions(rank=rank, alpha=max(1, rank // 2)) for rank in shape.ranks]
    adapted: nn.Module = add_adapters(model, *ranks).to(device, dtype)  # peft leaves them in float32
    return adapted.train()
