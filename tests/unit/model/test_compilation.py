"""Compiled blocks: few graphs without breaks whatever the lengths, with the same gradients; none where it fails."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from llast.config.experiment import LoraOptions
from llast.model.compilation import compile_blocks
from llast.model.lora import add_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

LORA = LoraOptions(rank=4, alpha=8)


@pytest.fixture
def adapted(base_models: Path) -> Any:
    torch.manual_seed(0)
    model = LlastForConditionalGeneration.from_bases(
        base_models / "whisper", base_models / "llama", "clip", 4, "llama2", torch.float32
    )
    return add_adapters(model, LORA, LORA).train()


@pytest.fixture
def batch(
    base_models: Path, training_rows: tuple[Path, list[Path]]
) -> Callable[..., dict[str, torch.Tensor]]:
    """A batch of some clips by their numbers."""
    rows = TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), 4)

    def of(clips: list[int], together: bool) -> dict[str, torch.Tensor]:
        own = [tuple(np.flatnonzero(rows.clip_of_row == clip).tolist()) for clip in clips]
        return rows.batch([Example(*example) for example in zip(clips, own, strict=True)], together)

    return of


def gradients(adapted: Any, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The loss and the gradient of every trained weight."""
    adapted.zero_grad()
    loss = adapted(**batch).loss
    loss.backward()
    found = [weight.grad for weight in trainable_parameters(adapted) if weight.grad is not None]
    assert len(found) == len(trainable_parameters(adapted))
    return [loss.detach(), *(gradient.clone() for gradient in found)]


@pytest.mark.slow
def test_one_function_for_all_blocks_and_lengths(adapted: Any, batch: Any) -> None:
    batches = [batch([0, 1], True), batch([2], True), batch([0, 1, 2], False), batch([1, 2], False)]
    expected = [gradients(adapted, part) for part in batches]
    counters.clear()
    torch._dynamo.reset()
    assert compile_blocks(adapted, batches[0], backend="aot_eager") == ""
    assert adapted.training
    for part, wanted in zip(batches, expected, strict=True):
        torch.testing.assert_close(gradients(adapted, part), wanted)
    first = counters["stats"]["unique_graphs"]
    assert not counters["graph_break"]
    assert first <= 14, "encoder and LLM; first block or later, one sequence or several, in evaluation once"
    for clips, together in (([3, 4, 5], False), ([4], True), ([3, 5], False), ([0, 3, 4], True)):
        gradients(adapted, batch(clips, together))
    assert counters["stats"]["unique_graphs"] == first, "other lengths need no other graph"
    torch._dynamo.reset()


def test_what_does_not_compile_stays_as_it_was(adapted: Any, batch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no such compiler")

    before = gradients(adapted, batch([0], True))
    torch._dynamo.reset()
    assert "no such compiler" in compile_blocks(adapted, batch([0], True), backend=broken)
    assert all(weight.grad is None for weight in trainable_parameters(adapted))
    torch.testing.assert_close(gradients(adapted, batch([0], True)), before)
    torch._dynamo.reset()


def test_another_loss_is_found_out(adapted: Any, batch: Any) -> None:
    def wrong(graph: Any, _: Any) -> Any:
        return lambda *inputs: [math.nan * output for output in graph(*inputs)]

    torch._dynamo.reset()
    assert "the loss" in compile_blocks(adapted, batch([0], True), backend=wrong)
    torch._dynamo.reset()
