"""Which rows train together: updates, and their division into micro-batches over the ranks.

An update is a fixed number of rows, a pure function of (seed, epoch): the same on any number of ranks. Within it the
rows of a clip stand together, so that the clip is encoded once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llast.config.experiment import TrainingOptions

PADDING = 0.05
"""Largest share of padding for which an update is not divided further."""

SMALLEST = 2048
"""Positions of a micro-batch, on average, below which dividing costs more than the padding that it saves."""


@dataclass(frozen=True)
class Item:
    """A clip and those of its rows that are in one update. `rows` index the mixture's table."""

    clip: int
    rows: tuple[int, ...]


def total_steps(rows: int, options: TrainingOptions) -> int:
    """Optimiser steps of a training run over so many rows."""
    if options.max_steps is not None:
        return options.max_steps
    assert options.epochs is not None
    return max(1, math.ceil(options.epochs * math.ceil(rows / options.rows_per_update)))


def checkpoint_steps(steps: int, checkpoints: int) -> list[int]:
    """Steps after which a checkpoint is kept: evenly spaced, the last at the end. Fewer steps than checkpoints
    repeat a step, so that the plan's count of checkpoints always holds."""
    return [max(1, round(steps * (k + 1) / checkpoints)) for k in range(checkpoints)]


def learning_rate(step: int, steps: int, options: TrainingOptions) -> float:
    """Learning rate of the `step`-th optimiser step (from 1): linear warm-up, then cosine to 0."""
    warmup = options.warmup * steps
    if step <= warmup:
        return options.learning_rate * step / warmup
    done = (step - warmup) / max(1.0, steps + 1 - warmup)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class Updates:
    """The order in which a mixture's rows are trained on.

    Args:
        clip_of_row: (rows,) number of each row's clip, from 0 and ascending: rows of a clip stand together.
        rows_per_update: rows in an update; the last of an epoch may have fewer.
        seed: orders the clips, another way in each epoch.
    """

    def __init__(self, clip_of_row: np.ndarray, rows_per_update: int, seed: int) -> None:
        self._starts = np.flatnonzero(np.diff(clip_of_row, prepend=-1))
        self._counts = np.diff(np.append(self._starts, len(clip_of_row)))
        self._rows_per_update = rows_per_update
        self._seed = seed
        self.per_epoch = math.ceil(len(clip_of_row) / rows_per_update)

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[list[Item]]:
        """The updates of an epoch after the first `skip`, in order, each put together when it is asked for."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._starts))
        ends = np.cumsum(self._counts[order])
        for number in range(skip, self.per_epoch):
            done = number * self._rows_per_update
            stop = min(done + self._rows_per_update, int(ends[-1]))
            place = int(np.searchsorted(ends, done, side="right"))
            update = []
            while done < stop:
                clip, end = int(order[place]), int(ends[place])
                row = int(self._starts[clip] + self._counts[clip]) - (end - done)
                taken = min(end, stop) - done
                update.append(Item(clip, tuple(range(row, row + taken))))
                done, place = done + taken, place + 1
            yield update


def micro_batches(update: list[Item], lengths: list[int], ranks: int, budget: int) -> list[list[list[Item]]]:
    """Divide an update into equally many micro-batches for every rank.

    Items are grouped by length; a group costs its number of items times its longest sequence. There are as many groups
    as the budget asks for, and more until little of the cost is padding. Groups that stand at the same place of each
    rank are alike in length, so that ranks do not wait for each other.

    Args:
        update: the items of an update.
        lengths: LLM positions of each item.
        ranks: number of ranks.
        budget: most positions, padding included, of one micro-batch; a longer single item stands alone.

    Returns:
        [rank][micro-batch] lists of items. A rank's list may be empty where there are fewer items than ranks.
    """
    order = sorted(
        range(len(update)), key=lambda index: (-lengths[index], update[index].clip, update[index].rows)
    )
    costs = [lengths[index] for index in order]
    per_rank = math.ceil(len(_groups(costs, budget)) / ranks)
    groups = _divided(costs, per_rank * ranks, budget)
    while _padding(costs, groups) > PADDING and sum(costs) >= SMALLEST * (per_rank + 1) * ranks:
        per_rank += 1
        groups = _divided(costs, per_rank * ranks, budget)
    groups += [range(0)] * (per_rank * ranks - len(groups))
    return [
        [[update[order[index]] for index in groups[turn * ranks + rank]] for turn in range(per_rank)]
        for rank in range(ranks)
    ]


def _divided(costs: list[int], places: int, budget: int) -> list[range]:
    """Contiguous groups for so many places, as equal in cost as can be; fewer where there are fewer items."""
    low, high = 1, budget
    while low < high:  # the smallest cap that still gives no more groups than places
        middle = (low + high) // 2
        if len(_groups(costs, middle)) <= places:
            high = middle
        else:
            low = middle + 1
    groups = _groups(costs, low)
    while len(groups) < places and max(map(len, groups)) > 1:
        largest = max(
            range(len(groups)), key=lambda index: (len(groups[index]) > 1, _cost(costs, groups[index]))
        )
        group = groups[largest]
        middle = len(group) // 2
        groups[largest : largest + 1] = [group[:middle], group[middle:]]
    return groups


def _padding(costs: list[int], groups: list[range]) -> float:
    """Share of the computed positions that are padding."""
    return 1 - sum(costs) / sum(_cost(costs, group) for group in groups)


def _groups(costs: list[int], cap: int) -> list[range]:
    """Contiguous groups of lengths sorted from long to short, each of a padded cost up to `cap`."""
    groups, start = [], 0
    for index in range(1, len(costs) + 1):
        if index == len(costs) or (index - start + 1) * costs[start] > cap:
            groups.append(range(start, index))
            start = index
    return groups


def _cost(costs: list[int], group: range) -> int:
    return len(group) * costs[group.start]
