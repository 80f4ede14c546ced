"""Where clips and rows lie in a micro-batch. All of it is known on the host: nothing waits for the device to say it.

Sequences hold several clips where that leaves less padding: a clip sees itself only, so who shares its sequence does
not matter.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from llast.model.adaptor import stacked

MULTIPLE = 8
"""Lengths of sequences are multiples of this: fused attention reads a mask in steps of 16 bytes."""
SPAN = 8192
"""Length at which attention to a whole sequence costs about as much as all else that LLaST-2B computes of it."""
TRIED = 32
"""How many lengths of shared sequences are tried."""


class Arrangement(NamedTuple):
    """Items in sequences.

    Attributes:
        sequence: (items,) number of the sequence of each.
        start: (items,) where in it each begins.
        sequences: how many there are.
        length: of all sequences.
    """

    sequence: np.ndarray
    start: np.ndarray
    sequences: int
    length: int


def arrange(lengths: Sequence[int], together: bool) -> Arrangement:
    """Put items of these lengths into equally long sequences.

    Args:
        lengths: of the items, at least one.
        together: several may share a sequence: as many sequences as cost least; otherwise each has its own.
    """
    if not together:
        items = len(lengths)
        return Arrangement(np.arange(items), np.zeros(items, dtype=np.int64), items, _rounded(max(lengths)))
    shortest, all_of_them = _rounded(max(lengths)), _rounded(sum(lengths))
    step = max(MULTIPLE, shortest // TRIED // MULTIPLE * MULTIPLE)
    # The longer the sequences the less padding there is, and the more attention to positions that are masked.
    tried = [_filled(lengths, room) for room in (*range(shortest, 2 * shortest, step), all_of_them)]
    return min(tried, key=lambda found: found.sequences * found.length * (1 + found.length / SPAN))


def _filled(lengths: Sequence[int], room: int) -> Arrangement:
    """The longest item first, each into the fullest sequence that has room for it (best fit, decreasing)."""
    free: list[tuple[int, int]] = []  # room left and number of each sequence, sorted
    sequence, start = np.zeros((2, len(lengths)), dtype=np.int64)
    for item in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        fullest = bisect_left(free, (lengths[item], 0))
        left, sequence[item] = free.pop(fullest) if fullest < len(free) else (room, len(free))
        start[item] = room - left
        insort(free, (left - lengths[item], int(sequence[item])))
    length = room - free[0][0]
    return Arrangement(sequence, start, len(free), _rounded(length))


def _rounded(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def audio_layout(positions: Sequence[int], stack: int, together: bool) -> dict[str, torch.Tensor]:
    """Where the encoder's positions lie, and which of them the LLM reads.

    Args:
        positions: encoder positions of each clip.
        stack: encoder positions per LLM position.
        together: whether several clips may share a sequence of the encoder.

    Returns:
        frames: (sequences, length) number of the encoder position that stands there, counted through (clips, longest
            clip); -1: nothing.
        speech_from: (LLM positions x stack,) place in `frames` of each position that an LLM position is made of, clip
            after clip; -1: the last one of a clip is not full.
    """
    arranged, longest = arrange(positions, together), max(positions)
    frames = np.full((arranged.sequences, arranged.length), -1)
    sources = []
    for clip, (count, sequence, start) in enumerate(
        zip(positions, arranged.sequence, arranged.start, strict=True)
    ):
        frames[sequence, start : start + count] = np.arange(clip * longest, clip * longest + count)
        source = np.full(stacked(count, stack) * stack, -1)
        source[:count] = np.arange(count) + sequence * arranged.length + start
        sources.append(source)
    return {"frames": torch.from_numpy(frames), "speech_from": torch.from_numpy(np.concatenate(sources))}


def clip_mask(frames: torch.Tensor, longest: int, dtype: torch.dtype) -> torch.Tensor:
    """Which positions of the encoder see each other, (sequences, 1, length, length) to add to scores: those of a clip.

    Args:
        frames: as `audio_layout` gives it.
        longest: positions of the longest clip.
        dtype: of the scores.
    """
    clip = torch.div(frames, longest, rounding_mode="floor")  # of nothing: -1, which sees its like
    return additive(clip[:, :, None] == clip[:, None, :], dtype)


def additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask (sequences, queries, keys) to add to scores, (sequences, 1, queries, keys).

    Made once: of a boolean one, sdpa makes this in every layer, and eager attention adds it as it is.
    """
    floor = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, floor)[:, None]
