"""Reads the rows of coming updates while the present one trains."""

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch

from llast.training.batches import TrainingRows
from llast.training.updates import Item, Updates, micro_batches

AHEAD = 3
"""Updates that are read or being read besides the one that trains."""


@dataclass(frozen=True)
class MicroBatch:
    """What one rank computes at once.

    Attributes:
        items: clips with their rows.
        tensors: arguments of the model's forward pass, on the host.
        counts: false where a rank only repeats a clip because collectives need every rank.
    """

    items: list[Item]
    tensors: dict[str, torch.Tensor]
    counts: bool


def split(
    rows: TrainingRows, items: list[Item], rank: int, ranks: int, budget: int, shared: bool
) -> Iterator[MicroBatch]:
    """One rank's micro-batches of these items, equally many on every rank.

    Args:
        rows: where the items are from.
        items: clips with their rows, of all ranks together.
        rank: this rank.
        ranks: number of ranks.
        budget: most LLM positions of a micro-batch.
        shared: whether a clip's rows share a sequence; otherwise each has one of its own.
    """
    if not shared:
        items = [Item(item.clip, (row,)) for item in items for row in item.rows]
    lengths = [rows.length(item) for item in items]
    for part in micro_batches(items, lengths, ranks, budget)[rank]:
        # With fewer clips than ranks, a rank repeats one without counting it: collectives need every rank.
        yield MicroBatch(part, rows.batch(part or items[:1]), bool(part))


@dataclass(frozen=True)
class Work:
    """One rank's part of an update.

    Attributes:
        step: optimiser step, from 1.
        epoch: passes over the mixture when the step is done.
        update: all items of the update, of every rank.
        positions: LLM positions of the update without padding, of every rank.
        target_tokens: tokens with a loss, of every rank.
        micro_batches: this rank's.
    """

    step: int
    epoch: float
    update: list[Item]
    positions: int
    target_tokens: int
    micro_batches: list[MicroBatch]

    @property
    def rows(self) -> int:
        """Rows of the update."""
        return sum(len(item.rows) for item in self.update)


class Loader:
    """The work of one rank, update after update, read ahead in a thread.

    Args:
        rows: the rows of the mixture.
        updates: their order.
        rank: this rank.
        ranks: number of ranks.
        budget: most LLM positions of a micro-batch.
        shared: whether a clip's rows share a sequence.
    """

    def __init__(
        self, rows: TrainingRows, updates: Updates, rank: int, ranks: int, budget: int, shared: bool
    ) -> None:
        self._rows, self._updates = rows, updates
        self._split = (rank, ranks, budget, shared)

    def work(self, done: int, steps: int) -> Iterator[Work]:
        """The updates after step `done` up to step `steps`."""
        ahead: list[Future[Work]] = []
        with ThreadPoolExecutor(max_workers=1) as pool:
            try:
                for step, epoch, update in self._schedule(done, steps):
                    ahead.append(pool.submit(self._read, step, epoch, update))
                    if len(ahead) > AHEAD:
                        yield ahead.pop(0).result()
                for future in ahead:
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _schedule(self, done: int, steps: int) -> Iterator[tuple[int, float, list[Item]]]:
        per_epoch = self._updates.per_epoch
        for epoch in range(done // per_epoch, math.ceil(steps / per_epoch)):
            skip = max(0, done - epoch * per_epoch)
            for step, update in enumerate(self._updates.epoch(epoch, skip), epoch * per_epoch + skip + 1):
                if step > steps:
                    return
                yield step, step / per_epoch, update

    def _read(self, step: int, epoch: float, update: list[Item]) -> Work:
        positions = sum(self._rows.length(item) for item in update)
        batches = list(split(self._rows, update, *self._split))
        return Work(step, epoch, update, positions, self._rows.target_tokens(update), batches)
