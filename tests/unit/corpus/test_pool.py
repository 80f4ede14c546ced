import os
from collections.abc import Generator, Iterator

import pytest

from llast.corpus.pool import map_in_order
from llast.errors import DataError


def test_results_keep_their_order() -> None:
    calls = [(number, 3) for number in range(100)]
    assert (
        list(map_in_order(divmod, calls, 2))
        == list(map_in_order(divmod, calls, 1))
        == [divmod(a, b) for a, b in calls]
    )


def test_little_is_read_ahead() -> None:
    taken = 0

    def calls() -> Iterator[tuple[int, int]]:
        nonlocal taken
        for taken in range(1, 10_001):
            yield taken, 1

    results = map_in_order(divmod, calls(), 2)
    assert next(results) == (1, 0)
    assert taken <= 200
    assert isinstance(results, Generator)
    results.close()


def test_a_worker_that_is_killed_ends_the_run_with_a_message() -> None:
    with pytest.raises(DataError, match="worker"):
        list(map_in_order(os._exit, [(9,)], 2))
