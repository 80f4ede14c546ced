"""What activations need is known before a training, and they are computed again if there is not the memory."""

from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from llast.config.experiment import LoraOptions
from llast.model.checkpointing import activations, checkpoint_activations, memory_asks
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

Rows = tuple[Path, list[Path]]
LORA = LoraOptions(rank=4, alpha=8)


@pytest.fixture
def model(base_models: Path) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    built = LlastForConditionalGeneration.from_bases(
        base_models / "whisper", base_models / "llama", "clip", 4, "llama2", torch.float32
    )
    add_adapters(built, LORA, LORA)
    return built.train()


@pytest.fixture
def batches(base_models: Path, training_rows: Rows) -> list[dict[str, torch.Tensor]]:
    """One clip, and the same clip four times."""
    rows = TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), 4)
    clip = Example(0, tuple(np.flatnonzero(rows.clip_of_row == 0).tolist()))
    return [rows.batch([clip] * times) for times in (1, 4)]


def test_activations_grow_with_the_batch_and_shrink_if_they_are_computed_again(
    model: LlastForConditionalGeneration, batches: list[dict[str, torch.Tensor]]
) -> None:
    one, four = (activations(model, batch) for batch in batches)
    assert 3 * one < four < 4.5 * one
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert activations(model, batches[0]) == one != weights
    checkpoint_activations(model.encoder)
    checkpoint_activations(model.llm)
    assert activations(model, batches[1]) < four / 2


@pytest.mark.parametrize(("share", "asks"), [(1.5, True), (0.5, False)])
def test_they_are_computed_again_if_memory_asks(
    model: LlastForConditionalGeneration,
    batches: list[dict[str, torch.Tensor]],
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    asks: bool,
) -> None:
    """Of two processes that share what is left when gradients and optimiser have theirs."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    free = 2 * (10 * activations(model, batches[0]) / share + 16 * trained)
    memory = psutil.virtual_memory()._replace(available=int(free))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert memory_asks(model, batches[0], times=10, processes=2) == asks
    assert memory_asks(model, batches[0], times=0.01, processes=2) is False


def test_no_memory_for_the_probe_is_an_answer(
    model: LlastForConditionalGeneration, batches: list[dict[str, torch.Tensor]]
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    model.llm.register_forward_pre_hook(fail)
    model.llm.get_decoder().register_forward_pre_hook(fail)
    assert memory_asks(model, batches[0], times=1, processes=1)
