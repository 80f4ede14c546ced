"""Dispatched operators of a training step, by phase: on a GPU each that computes is a kernel launch or more."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
VIEWS = {aten._unsafe_view.default, aten.detach.default, aten.alias.default, aten.lift_fresh.default}
"""What computes nothing besides the operators whose schema says that they return a view."""
WAITS = {
    aten._local_scalar_dense.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.unique_consecutive.default,
    aten._unique2.default,
    aten.unique_dim.default,
}
"""Operators whose result, or its shape, the host has to know before it goes on: on a GPU it waits for the device."""


def waits(operator: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether the host waits for a GPU here: for a value, or for the number of true ones in a mask that indexes."""
    if operator in WAITS:
        return True
    if operator is aten.repeat_interleave.Tensor:
        return True  # with `output_size` too, for a schema's keyword says nothing of where it came from
    if operator in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
        indices = arguments[1]
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)
    return False


class Operators(TorchDispatchMode):
    """Counts what is dispatched inside `with`, by the phase that it is told.

    Blocks of the model that run in the backward pass are a phase of their own: what checkpointing computes again.

    Args:
        model: whose blocks are watched from now on.

    Attributes:
        computing: operators that compute, by phase.
        views: those that do not, by phase.
        waits: names of those that the host waits at, by phase.
        names: how often each operator that computes was dispatched, by phase.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._blocks = 0
        for module in model.modules():
            if checkpoint := vars(module).get("_gradient_checkpointing_func"):
                module._gradient_checkpointing_func = partial(self._checkpointed, checkpoint)
        self.computing: Counter[str] = Counter()
        self.views: Counter[str] = Counter()
        self.waits: dict[str, list[str]] = {}
        self.names: dict[str, Counter[str]] = {}
        self._phase = "between"

    def _checkpointed(self, checkpoint: Callable[..., Any], block: Callable[..., Any], *inputs: Any) -> Any:
        """A block's forward pass, as transformers has it checkpointed."""

        def watched(*inputs: Any) -> Any:
            self._blocks += 1
            try:
                return block(*inputs)
            finally:  # checkpointing ends the second one in the middle
                self._blocks -= 1

        return checkpoint(watched, *inputs)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What is dispatched meanwhile belongs to this phase."""
        before, self._phase = self._phase, name
        try:
            yield
        finally:
            self._phase = before

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        phase = "recomputation" if self._blocks and self._phase == "backward" else self._phase
        if func.is_view or func in VIEWS:
            self.views[phase] += 1
        else:
            self.computing[phase] += 1
            self.names.setdefault(phase, Counter())[str(func)] += 1
        if waits(func, args):
            self.waits.setdefault(phase, []).append(str(func))
        return func(*args, **(kwargs or {}))


class Phased:
    """An engine, as `llast.training.step.optimise` uses it, that tells what it is doing."""

    def __init__(self, engine: Any, operators: Operators) -> None:
        self._engine, self._operators = engine, operators

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def __call__(self, **batch: torch.Tensor) -> Any:
        with self._operators.phase("forward"):
            return self._engine(**batch)

    def backward(self, loss: torch.Tensor) -> None:
        """As the engine's."""
        with self._operators.phase("backward"):
            self._engine.backward(loss)

    def step(self) -> None:
        """As the engine's."""
        with self._operators.phase("optimiser"):
            self._engine.step()
