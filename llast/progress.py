"""Progress of long work: a bar on a terminal, a line now and then in a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_EVERY_S = 30.0


def progress(items: Iterable[Item], what: str, total: int | None = None, unit: str = "row") -> Iterator[Item]:
    """Iterate over `items`, showing count, rate and time left on standard error."""
    terminal = sys.stderr.isatty()
    bar = tqdm(
        items,
        desc=what,
        total=total,
        unit=unit,
        file=sys.stderr,
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else LOG_EVERY_S,
        maxinterval=1.0 if terminal else LOG_EVERY_S,
        ascii=not terminal,
    )
    yield from bar
