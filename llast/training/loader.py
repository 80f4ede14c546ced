"""Reads the rows of coming updates while the present one trains."""

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch

from llast.training.dataset import TrainingRows
from llast.training.sampler import Example, UpdateSampler, micro_batches

AHEAD = 3
"""Updates that are read or being read besides the one that trains."""


@dataclass(frozen=True)
class MicroBatch:
    """What one rank computes at once.

    Attributes:
        examples: clips with their rows.
        tensors: arguments of the model's forward pass, on the host.
        counts: false where a rank only repeats a clip because collectives need every rank.
    """

    examples: list[Example]
    tensors: dict[str, torch.Tensor]
    counts: bool


def split(
    rows: TrainingRows,
    examples: list[Example],
    rank: int,
    ranks: int,
    budget: int,
    packed: bool,
    alike: bool = False,
) -> Iterator[MicroBatch]:
    """One rank's micro-batches of these examples, equally many on every rank.

    Args:
        rows: where the examples are from.
        examples: clips with their rows, of all ranks together.
        rank: this rank.
        ranks: number of ranks.
        budget: most LLM positions of a micro-batch.
        packed: whether rows share a sequence; otherwise each has one of its own.
        alike: whether the encoder pads clips, so that those of a micro-batch should be about equally long.
    """
    if not packed:
        examples = [Example(example.clip, (row,)) for example in examples for row in example.rows]
    lengths = [rows.length(example) for example in examples]
    for part in micro_batches(examples, lengths, ranks, budget, alike or not packed)[rank]:
        # With fewer clips than ranks, a rank repeats one without counting it: collectives need every rank.
        tensors = rows.batch(part or examples[:1], packed)
        if torch.cuda.is_available():  # from other memory, no copy goes beside what a GPU computes
            tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
        yield MicroBatch(part, tensors, bool(part))


@dataclass(frozen=True)
class Update:
    """An update: what a rank knows of it, and its part of the computation.

    Attributes:
        step: optimiser step, from 1.
        epoch: passes over the mixture when the step is done.
        examples: all examples of the update, of every rank.
        positions: LLM positions of the update without padding, of every rank.
        target_tokens: tokens with a loss, of every rank.
        micro_batches: this rank's.
    """

    step: int
    epoch: float
    examples: list[Example]
    positions: int
    target_tokens: int
    micro_batches: list[MicroBatch]

    @property
    def rows(self) -> int:
        """Rows of the update."""
        return sum(len(example.rows) for example in self.examples)


class Loader:
    """One rank's micro-batches, update after update, read ahead in a thread.

    Args:
        rows: the rows of the mixture.
        sampler: their order.
        rank: this rank.
        ranks: number of ranks.
        budget: most LLM positions of a micro-batch.
        packed: whether rows share a sequence.
        alike: as for `split`.
    """

    def __init__(
        self,
        rows: TrainingRows,
        sampler: UpdateSampler,
        rank: int,
        ranks: int,
        budget: int,
        packed: bool,
        alike: bool = False,
    ) -> None:
        self._rows, self._sampler = rows, sampler
        self._split = (rank, ranks, budget, packed, alike)

    def updates(self, done: int, steps: int) -> Iterator[Update]:
        """The updates after step `done` up to step `steps`."""
        ahead: list[Future[Update]] = []
        with ThreadPoolExecutor(max_workers=1) as pool:
            try:
                for step, epoch, examples in self._schedule(done, steps):
                    ahead.append(pool.submit(self._read, step, epoch, examples))
                    if len(ahead) > AHEAD:
                        yield ahead.pop(0).result()
                for future in ahead:
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _schedule(self, done: int, steps: int) -> Iterator[tuple[int, float, list[Example]]]:
        per_epoch = self._sampler.per_epoch
        for epoch in range(done // per_epoch, math.ceil(steps / per_epoch)):
            skip = max(0, done - epoch * per_epoch)
            for step, examples in enumerate(self._sampler.epoch(epoch, skip), epoch * per_epoch + skip + 1):
                if step > steps:
                    return
                yield step, step / per_epoch, examples

    def _read(self, step: int, epoch: float, examples: list[Example]) -> Update:
        positions = sum(self._rows.length(example) for example in examples)
        batches = list(split(self._rows, examples, *self._split))
        return Update(step, epoch, examples, positions, self._rows.target_tokens(examples), batches)
