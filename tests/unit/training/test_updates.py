"""Updates and micro-batches: the same rows whatever the ranks, equally many batches, little padding."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llast.config.experiment import TrainingOptions
from llast.training.updates import Item, Updates, checkpoint_steps, learning_rate, micro_batches, total_steps


def clip_of_row(counts: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.integers(1, 17), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_an_epoch_holds_every_row_once_in_updates_of_fixed_size(
    counts: list[int], size: int, seed: int
) -> None:
    clips = clip_of_row(counts)
    updates = Updates(clips, size, seed)
    epoch = list(updates.epoch(3))
    assert list(updates.epoch(3, skip=len(epoch) // 2)) == epoch[len(epoch) // 2 :]
    rows = [row for update in epoch for item in update for row in item.rows]
    assert sorted(rows) == list(range(len(clips)))
    assert all(clips[row] == item.clip for update in epoch for item in update for row in item.rows)
    assert [sum(len(item.rows) for item in update) for update in epoch[:-1]] == [size] * (len(epoch) - 1)
    assert len(epoch) == updates.per_epoch
    for update in epoch:
        assert len({item.clip for item in update}) == len(update), "a clip's rows stand together in an update"


def test_order_depends_on_seed_and_epoch_only() -> None:
    clips = clip_of_row([2] * 50)
    first = list(Updates(clips, 8, 1).epoch(0))
    assert first == list(Updates(clips, 8, 1).epoch(0))
    assert first != list(Updates(clips, 8, 1).epoch(1))
    assert first != list(Updates(clips, 8, 2).epoch(0))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 5), st.integers(50, 2000))
@settings(max_examples=120, deadline=None)
def test_micro_batches_share_an_update_out(lengths: list[int], ranks: int, budget: int) -> None:
    update = [Item(number, (number,)) for number in range(len(lengths))]
    divided = micro_batches(update, lengths, ranks, budget)
    assert len(divided) == ranks
    assert len({len(batches) for batches in divided}) == 1, "ZeRO needs equally many on every rank"
    seen = [item.clip for batches in divided for batch in batches for item in batch]
    assert sorted(seen) == list(range(len(lengths)))
    for batches in divided:
        for batch in batches:
            cost = len(batch) * max((lengths[item.clip] for item in batch), default=0)
            assert cost <= budget or len(batch) == 1
    if len(lengths) >= ranks * len(divided[0]):
        assert all(batch for batches in divided for batch in batches), "no rank idles while there is work"


def test_padding_is_small_on_lengths_like_covost() -> None:
    random = np.random.default_rng(0)
    lengths = [
        int(50 * s) + 60 for s in np.clip(random.gamma(8.0, 0.62, 256), 1, 15)
    ]  # mean 5 s, 50 positions/s
    update = [Item(number, (number,)) for number in range(256)]
    padded = sum(
        len(batch) * max(lengths[item.clip] for item in batch)
        for batches in micro_batches(update, lengths, 4, 6_000)
        for batch in batches
    )
    assert sum(lengths) / padded > 0.95


def test_steps_and_checkpoints() -> None:
    assert total_steps(1000, TrainingOptions(epochs=1, rows_per_update=32)) == 32
    assert total_steps(1000, TrainingOptions(epochs=0.5, rows_per_update=32)) == 16
    assert total_steps(1000, TrainingOptions(max_steps=7)) == 7
    assert checkpoint_steps(300, 2) == [150, 300]
    assert checkpoint_steps(10, 3) == [3, 7, 10]


def test_learning_rate_warms_up_and_falls_to_almost_nothing() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, options) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert all(a > b for a, b in pairwise(rates[9:]))
    assert 0 < rates[-1] < 0.001
    assert learning_rate(1, 100, TrainingOptions(learning_rate=1.0, warmup=0)) == pytest.approx(
        1.0, abs=0.001
    )
