"""Attention is a fused kernel in every layer, and its mask is one that fused kernels of GPUs take too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llast.config.experiment import LoraOptions
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor, pad_audio
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
LORA = LoraOptions(rank=4, alpha=8)
FUSED = "aten._scaled_dot_product_flash_attention_for_cpu.default"
UNFUSED = ("aten._softmax.default", "aten._safe_softmax.default")


def build(bases: Path, window: str) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", window, 4, "llama2", torch.float32
    )


def masks_of(model: LlastForConditionalGeneration) -> list[torch.Tensor]:
    """Filled with the masks that sdpa is given, as the layers run."""
    seen: list[torch.Tensor] = []

    def look(_: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        mask = named.get("attention_mask", inputs[1] if len(inputs) > 1 else None)
        if mask is not None:
            seen.append(mask)

    for name, module in model.named_modules():
        if name.endswith("self_attn"):
            module.register_forward_pre_hook(look, with_kwargs=True)
    return seen


def fit_kernels(masks: list[torch.Tensor]) -> bool:
    """Values side by side, rows that begin at multiples of 16 bytes in bf16, and none that sdpa has to make of it."""
    return all(
        mask.dtype == torch.float32
        and mask.stride(-1) == 1
        and all(step % 8 == 0 for step in mask.stride()[:-1])
        for mask in masks
    )


@pytest.mark.parametrize("window", ["clip", "30s"])
@pytest.mark.parametrize("together", [True, False])
def test_in_training(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    window: str,
    together: bool,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from training.operators import Operators  # type: ignore[import-not-found]

    rows = TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), 4)
    examples = [Example(clip, tuple(np.flatnonzero(rows.clip_of_row == clip).tolist())) for clip in range(5)]
    model = build(base_models, window)
    adapted = add_adapters(model, LORA, LORA).train()
    masks = masks_of(model)
    with Operators(adapted) as counted:
        adapted(**rows.batch(examples, together)).loss.backward()
    names = counted.names["between"]
    layers = len(model.encoder.layers) + len(model.llm.model.layers)
    assert names[FUSED] == names[f"{FUSED.removesuffix('.default')}_backward.default"] == layers
    assert not [name for name in UNFUSED if name in names]
    assert masks
    assert fit_kernels(masks)


def test_in_the_encoder_of_a_batch_that_is_decoded(base_models: Path) -> None:
    """Clips of odd lengths, each in a row of its own."""
    model = build(base_models, "clip").eval()
    masks = masks_of(model)
    with torch.no_grad():
        model.embed_audio(*pad_audio([np.zeros(length, dtype=np.float32) for length in (9_920, 3_200)]))
    assert len(masks) == len(model.encoder.layers)
    assert fit_kernels(masks)
