"""A cache whose rows start from what others have in common: the audio of a clip, for all that is asked of it."""

import copy
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 32
"""Positions by which a layer grows at a time; transformers' own copies all that it holds for each new token."""


class PrefixLayer(DynamicLayer):
    """Keys and values of one layer in buffers with room to grow, (rows, heads, positions, width).

    The beams of a row have their first positions in common, so a reordering of beams leaves those alone.
    """

    def __init__(self, layer: DynamicLayer, rows: torch.Tensor, beams: int) -> None:
        super().__init__()
        assert layer.keys is not None
        assert layer.values is not None
        self.dtype, self.device = layer.keys.dtype, layer.keys.device
        self._prefix = self._length = layer.keys.shape[2]
        self._buffers = []
        for part in (layer.keys, layer.values):
            _, heads, positions, width = part.shape
            # Written to once: at first touch, memory costs as much as the arithmetic.
            buffer = part.new_empty(len(rows), beams, heads, positions + ROOM, width)
            buffer[:, :, :, :positions] = part.index_select(0, rows)[:, None]
            self._buffers.append(buffer.flatten(0, 1))
        self.is_initialized = True
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append positions; returns views of all so far."""
        start, self._length = self._length, self._length + key_states.shape[2]
        while self._buffers[0].shape[2] < self._length:
            self._buffers = [torch.nn.functional.pad(part, (0, 0, 0, ROOM)) for part in self._buffers]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : self._length] = states
        self._show()
        assert self.keys is not None
        assert self.values is not None
        return self.keys, self.values

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Move what was generated between the beams of a row."""
        for buffer in self._buffers:
            own = buffer[:, :, self._prefix : self._length]
            own.copy_(own.index_select(0, beam_idx))

    def _show(self) -> None:
        self.keys, self.values = (part[:, :, : self._length] for part in self._buffers)


def spread(cache: DynamicCache, rows: torch.Tensor, beams: int = 1) -> DynamicCache:
    """A cache with `beams` rows for each of `rows`, which start from that row of `cache`; `cache` stays as it is."""
    spread = copy.copy(cache)
    spread.layers = [_spread_layer(layer, rows, beams) for layer in cache.layers]
    return spread


def tolerates_gaps(cache: DynamicCache) -> bool:
    """Whether masked positions may stand between others.

    A sliding window counts them in, a recurrent state takes them in; attention to all that is not masked does neither.
    """
    return all(type(layer) in (DynamicLayer, PrefixLayer) for layer in cache.layers)


def _spread_layer(layer: Any, rows: torch.Tensor, beams: int) -> Any:
    if type(layer) in (DynamicLayer, PrefixLayer):
        return PrefixLayer(layer, rows, beams)
    own = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, (list, dict)):
            setattr(own, name, copy.copy(value))
    own.reorder_cache(rows.repeat_interleave(beams))  # of transformers: it picks rows, whatever a layer holds
    return own
