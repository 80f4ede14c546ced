"""Apply a function to a stream of arguments in several processes, in order, with few of them under way."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice, starmap
from typing import Any, TypeVar

from llast.errors import DataError

Result = TypeVar("Result")

CALLS_PER_TASK = 16
"""Calls that a process gets at once: keeps the cost of passing them small beside some milliseconds of work each."""
TASKS_PER_WORKER = 4
"""Tasks under way per process: bounds the memory, however long the stream is."""


def map_in_order(
    function: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    workers: int,
    calls_per_task: int = CALLS_PER_TASK,
) -> Iterator[Result]:
    """Yield `function(*arguments)` for each tuple of arguments, in their order.

    Args:
        function: a function of a module that is quick to import, since each process imports it.
        calls: arguments of each call; read a little ahead of the results.
        workers: processes; with 1, the work is done in this one.
        calls_per_task: calls that a process gets at once; 1 for calls that take seconds.

    Raises:
        DataError: a process died.
    """
    if workers <= 1:
        yield from starmap(function, calls)
        return
    calls = iter(calls)
    pending: deque[Future[list[Result]]] = deque()
    # Futures, since a multiprocessing.Pool waits for ever for a process that was killed.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    try:
        while batch := list(islice(calls, calls_per_task)):
            pending.append(pool.submit(_apply, function, batch))
            if len(pending) >= TASKS_PER_WORKER * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            "a worker process died, perhaps for want of memory. Run the step again, with fewer workers if it "
            "dies again: what was finished is kept."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _apply(function: Callable[..., Result], batch: list[tuple[Any, ...]]) -> list[Result]:
    return [function(*arguments) for arguments in batch]


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when it ends, even by SIGKILL."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
