"""Work in batches under a memory budget that gives way: what does not fit is halved and tried again."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from llast.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")


class MemoryBudget:
    """How much is worked on at once, in the unit of `batch_tokens`: LLM positions held.

    It only ever shrinks, so that a machine runs out of memory once or twice and not in every batch.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._said = False

    def work(
        self, items: Sequence[Item], cost: Callable[[Item], int], work: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Work through `items` in batches, in order; yields each batch and what `work` made of it.

        Args:
            items: in the order of their work; neighbours should be alike.
            cost: of one item, in tokens. A batch is padded: it costs as much as its costliest item for each.
            work: is given a batch; called again with half of it where memory ran out.

        Raises:
            DataError: a single item does not fit.
        """
        start = 0
        while start < len(items):
            count, each = self._fitting(items, start, cost)
            batch = items[start : start + count]
            result = _attempt(work, batch)
            if result:
                yield batch, result[0]
                start += count
                continue
            # Outside of any handler, whose traceback would keep the tensors of the attempt alive.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if count == 1:
                raise DataError(
                    "there is not enough memory for a single clip with one beam search. Take a machine with more "
                    "memory, or lower decoding.num_beams or decoding.max_new_tokens."
                )
            self._halve(count * each)

    def _fitting(self, items: Sequence[Item], start: int, cost: Callable[[Item], int]) -> tuple[int, int]:
        """How many items from `start` on fit, at least one, and what each of them costs then."""
        count, each = 1, cost(items[start])
        while start + count < len(items):
            with_next = max(each, cost(items[start + count]))
            if (count + 1) * with_next > self.tokens:
                break
            count, each = count + 1, with_next
        return count, each

    def _halve(self, used: int) -> None:
        self.tokens = used // 2
        if not self._said:
            print(
                f"out of memory with {used:,} positions at once: going on with half of that, and less if need be. "
                "A smaller decoding.batch_tokens avoids the detour.",
                file=sys.stderr,
            )
            self._said = True


def _attempt(work: Callable[[Sequence[Item]], Result], batch: Sequence[Item]) -> list[Result]:
    """The result in a list, or an empty one where memory ran out."""
    try:
        return [work(batch)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return []


OUT_OF_MEMORY = (
    "can't allocate memory",
    "bad_alloc",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",
)
"""What errors say that are not of a class of their own: of the CPU's allocator, and of CUDA outside of torch's."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return any(sign in text for sign in OUT_OF_MEMORY)
