"""Which rows train together: updates, and their division into micro-batches over the ranks.

An update is a fixed number of rows, a pure function of (seed, epoch): the same on any number of ranks. Within it the
rows of a clip stand together, so that the clip is encoded once.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace

import numpy as np

PADDING = 0.05
"""Largest share of padding for which an update that is padded is not divided further."""

SMALLEST = 2048
"""Positions of a micro-batch, on average, below which dividing costs more than the padding that it saves."""


@dataclass(frozen=True)
class Example:
    """A clip with those of its rows that are in one update.

    Attributes:
        clip: number of the clip.
        rows: indices of the rows in the mixture's table.
    """

    clip: int
    rows: tuple[int, ...]


class UpdateSampler:
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

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[list[Example]]:
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
                update.append(Example(clip, tuple(range(row, row + taken))))
                done, place = done + taken, place + 1
            yield update


def micro_batches(
    update: list[Example], lengths: list[int], ranks: int, budget: int, padded: bool = False
) -> list[list[list[Example]]]:
    """Divide an update into equally many micro-batches for every rank, as few as the budget allows.

    Micro-batches are alike in size, so that ranks do not wait for each other. Where examples are padded they are
    grouped by length, and there are more micro-batches, until little of the cost is padding.

    Args:
        update: the examples of an update.
        lengths: LLM positions of each example.
        ranks: number of ranks.
        budget: most positions of one micro-batch; a longer single example stands alone.
        padded: whether each example of a micro-batch costs as much as the longest.

    Returns:
        [rank][micro-batch] lists of examples. A rank's list may be empty where there are fewer examples than ranks.
    """
    order = sorted(
        range(len(update)), key=lambda index: (-lengths[index], update[index].clip, update[index].rows)
    )
    costs = [lengths[index] for index in order]
    groups: Sequence[Sequence[int]] = _alike(costs, ranks, budget) if padded else _mixed(costs, ranks, budget)
    per_rank = len(groups) // ranks
    return [
        [[update[order[index]] for index in groups[turn * ranks + rank]] for turn in range(per_rank)]
        for rank in range(ranks)
    ]


def _mixed(costs: list[int], ranks: int, budget: int) -> list[list[int]]:
    """Groups of all lengths, each about as costly as the others: the longest first, to the group that has least."""
    per_rank = math.ceil(sum(costs) / (budget * ranks))
    while True:
        groups: list[list[int]] = [[] for _ in range(per_rank * ranks)]
        filled = [(0, number) for number in range(len(groups))]
        for index, cost in enumerate(costs):
            least, number = filled[0]
            groups[number].append(index)
            heapreplace(filled, (least + cost, number))
        if all(cost <= budget or len(groups[number]) == 1 for cost, number in filled):
            return groups
        per_rank += 1


def _alike(costs: list[int], ranks: int, budget: int) -> list[range]:
    """Groups of neighbours in length, which cost their number times the longest."""
    per_rank = math.ceil(len(_groups(costs, budget)) / ranks)
    groups = _divided(costs, per_rank * ranks, budget)
    while _padding(costs, groups) > PADDING and sum(costs) >= SMALLEST * (per_rank + 1) * ranks:
        per_rank += 1
        groups = _divided(costs, per_rank * ranks, budget)
    return groups + [range(0)] * (per_rank * ranks - len(groups))


def _divided(costs: list[int], places: int, budget: int) -> list[range]:
    """Contiguous groups for so many places, as equal in cost as can be; fewer where there are fewer examples."""
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
