"""Updates and micro-batches: the same rows whatever the ranks, equally many batches, little padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llast.config.experiment import TrainingOptions
from llast.model.layout import arrange
from llast.training.sampler import Example, UpdateSampler, micro_batches


def clip_of_row(counts: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60), st.integers(1, 17), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_an_epoch_holds_every_row_once_in_updates_of_fixed_size(
    counts: list[int], size: int, seed: int
) -> None:
    clips = clip_of_row(counts)
    updates = UpdateSampler(clips, size, seed)
    epoch = list(updates.epoch(3))
    assert list(updates.epoch(3, skip=len(epoch) // 2)) == epoch[len(epoch) // 2 :]
    rows = [row for update in epoch for example in update for row in example.rows]
    assert sorted(rows) == list(range(len(clips)))
    assert all(clips[row] == example.clip for update in epoch for example in update for row in example.rows)
    assert [sum(len(example.rows) for example in update) for update in epoch[:-1]] == [size] * (
        len(epoch) - 1
    )
    assert len(epoch) == updates.per_epoch
    for update in epoch:
        assert len({example.clip for example in update}) == len(update), (
            "a clip's rows stand together in an update"
        )


def test_order_depends_on_seed_and_epoch_only() -> None:
    clips = clip_of_row([2] * 50)
    first = list(UpdateSampler(clips, 8, 1).epoch(0))
    assert first == list(UpdateSampler(clips, 8, 1).epoch(0))
    assert first != list(UpdateSampler(clips, 8, 1).epoch(1))
    assert first != list(UpdateSampler(clips, 8, 2).epoch(0))


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(50, 2000),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_micro_batches_share_an_update_out(lengths: list[int], ranks: int, budget: int, padded: bool) -> None:
    update = [Example(number, (number,)) for number in range(len(lengths))]
    divided = micro_batches(update, lengths, ranks, budget, padded)
    assert len(divided) == ranks
    assert len({len(batches) for batches in divided}) == 1, "ZeRO needs equally many on every rank"
    seen = [example.clip for batches in divided for batch in batches for example in batch]
    assert sorted(seen) == list(range(len(lengths)))
    for batches in divided:
        for batch in batches:
            own = [lengths[example.clip] for example in batch]
            cost = len(own) * max(own, default=0) if padded else sum(own)
            assert cost <= budget or len(batch) == 1
    if len(lengths) >= ranks * len(divided[0]):
        assert all(batch for batches in divided for batch in batches), "no rank idles while there is work"


@pytest.mark.parametrize("ranks", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("padded", [False, True])
def test_padding_is_small_on_lengths_like_covost(ranks: int, padded: bool) -> None:
    """Updates of the paper presets: 256 rows, a clip of 5 s with two rows, or four where it is English.

    Where nothing is padded, there are as few micro-batches as the budget allows.
    """
    random, options = np.random.default_rng(0), TrainingOptions()
    real = computed = 0
    for _ in range(10):
        update: list[Example] = []
        lengths = []
        rows = 0
        while rows < options.rows_per_update:
            seconds = float(np.clip(random.gamma(8.0, 0.62), 1, 15))
            own = range(rows, min(rows + (4 if random.random() < 0.39 else 2), options.rows_per_update))
            update.append(Example(len(update), tuple(own)))
            targets = [round(4.5 * seconds * random.lognormal(0, 0.2)) for _ in own]
            lengths.append(5 + int(50 * seconds) + sum(18 + tokens for tokens in targets))
            rows += len(own)
        divided = micro_batches(update, lengths, ranks, options.tokens_per_micro_batch, padded)
        costs = [
            [cost([lengths[example.clip] for example in batch], padded) for batch in batches]
            for batches in divided
        ]
        assert max(map(sum, costs)) < 1.15 * sum(map(sum, costs)) / ranks, "ranks do not wait for each other"
        real, computed = real + sum(lengths), computed + sum(map(sum, costs))
        fewest = -(-sum(lengths) // (ranks * options.tokens_per_micro_batch))
        assert padded or len(divided[0]) in (fewest, fewest + 1)
    assert 1 - real / computed < 0.05


def cost(lengths: list[int], padded: bool) -> int:
    """Positions that are computed."""
    if padded:
        return len(lengths) * max(lengths)
    arranged = arrange(lengths, together=True)
    return arranged.sequences * arranged.length


def test_small_updates_are_not_divided_for_the_sake_of_padding() -> None:
    lengths = [20, 60, 100, 200]
    update = [Example(number, (number,)) for number in range(4)]
    assert [len(batches) for batches in micro_batches(update, lengths, 2, 1_000, padded=True)] == [1, 1]


@given(st.lists(st.integers(1, 900), min_size=1, max_size=80))
@settings(max_examples=120, deadline=None)
def test_what_shares_sequences_does_not_overlap(lengths: list[int]) -> None:
    arranged = arrange(lengths, together=True)
    taken = np.zeros((arranged.sequences, arranged.length), dtype=int)
    for length, sequence, start in zip(lengths, arranged.sequence, arranged.start, strict=True):
        taken[sequence, start : start + length] += 1
    assert taken.sum() == sum(lengths)
    assert taken.max() == 1
    assert arranged.length % 8 == 0


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_an_update_has_the_same_rows_whatever_the_ranks(counts: list[int], ranks: int) -> None:
    update = next(UpdateSampler(clip_of_row(counts), 32, 1).epoch(0))
    lengths = [10 * len(example.rows) + example.clip for example in update]
    divided = micro_batches(update, lengths, ranks, 100)
    rows = sorted(
        row for batches in divided for batch in batches for example in batch for row in example.rows
    )
    assert rows == sorted(row for example in update for row in example.rows)
