"""A training step asks the device for nothing but what `llast.training.step` speaks of: a GPU is kept fed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training_ranks import on_ranks, tiny_spec, waits_of_a_step, write_spec

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
X = torch.tensor([1.0, -1.0])


@pytest.mark.parametrize(
    "asks",
    [
        lambda: X.sum().item(),
        lambda: int(X.max()),
        lambda: bool(X.any()),
        lambda: X[X > 0],
        lambda: X.clone().requires_grad_()[X > 0].sum().backward(),
        lambda: X.clone().__setitem__(X > 0, torch.ones(1)),
        lambda: X.nonzero(),
        lambda: X.masked_select(X > 0),
        lambda: X.unique(),
        lambda: X.repeat_interleave(torch.tensor([1, 2])),
    ],
)
def test_what_asks_the_device_is_seen(monkeypatch: pytest.MonkeyPatch, asks: Callable[[], Any]) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from training.operators import Operators  # type: ignore[import-not-found]

    with Operators(nn.Module()) as counted:
        X.index_select(0, torch.tensor([1]))
        X[torch.tensor([1])]
    assert not counted.waits
    with counted:
        asks()
    assert counted.waits


@pytest.mark.parametrize("window", ["clip", "30s"])
def test_a_step_waits_once(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path: Path, window: str
) -> None:
    """Forward, backward and between micro-batches, of which there are several; DeepSpeed's own step has others."""
    options = tiny_spec(tokens_per_micro_batch=120)
    encoder = options.encoder.model_copy(update={"window": window})
    options = options.model_copy(update={"encoder": encoder})
    write_spec(tmp_path / "run", options, base_models, training_rows)
    (found,) = on_ranks(1, waits_of_a_step, tmp_path / "run")
    assert found["micro_batches"] > 1
    assert found["waits"].pop("between") == ["aten._local_scalar_dense.default"], "the step's loss"
    assert len(found["waits"].pop("optimiser", [])) <= 3
    assert found["waits"] == {}
