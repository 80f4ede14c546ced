"""Progress of long work: a bar on a terminal, a line now and then in a log."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_EVERY_S = 30.0


def progress(items: Iterable[Item], what: str, total: int | None = None, unit: str = "row") -> Iterator[Item]:
    """Iterate over `items`, showing count, rate and time left on standard error."""
    yield from _bar(items, what, total, unit)


def batch_progress(
    batches: Iterable[Item], count: Callable[[Item], int], what: str, total: int, unit: str
) -> Iterator[Item]:
    """Iterate over batches, each of which stands for `count` of the `total`."""
    with _bar(None, what, total, unit) as bar:
        for batch in batches:
            yield batch
            bar.update(count(batch))


def byte_progress(chunks: Iterable[bytes], what: str, done: int, total: int | None) -> Iterator[bytes]:
    """Iterate over pieces of a file, showing size, rate and time left; `done` bytes are there already."""
    with _bar(None, what, total, "B", initial=done, unit_scale=True, unit_divisor=1024) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk))


def _bar(items: Iterable[Any] | None, what: str, total: int | None, unit: str, **more: Any) -> Any:
    terminal = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        total=total,
        unit=unit,
        file=sys.stderr,
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else LOG_EVERY_S,
        maxinterval=1.0 if terminal else LOG_EVERY_S,
        ascii=not terminal,
        **more,
    )
