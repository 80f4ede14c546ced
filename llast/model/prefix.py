"""A cache whose rows start from what others have in common: the audio of a clip, for all that is asked of it.

Where the LLM's attention can be exchanged, the audio is held once per clip, and the queries of all the clip's rows and
beams meet it in one matrix product. Elsewhere each row gets a copy.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import sdpa_mask

ROOM = 32
"""Positions by which a layer grows at a time; transformers' own copies all that it holds for each new token."""
ATTENTION = "llast_prefix"
_CACHE: ContextVar[DynamicCache] = ContextVar("cache")


class NotShared(RuntimeError):
    """This LLM's attention does something that `prefix_attention` does not."""


class Rows:
    """Which rows start from which clip.

    Args:
        clips: (rows,) the clip of each row, rows of a clip one after the other.
    """

    def __init__(self, clips: torch.Tensor) -> None:
        self.clips, inverse, counts = clips.unique_consecutive(return_inverse=True, return_counts=True)
        self._most = int(counts.max())
        self._even = bool((counts == self._most).all())
        first = counts.cumsum(0) - counts
        within = torch.arange(len(clips), device=clips.device) - first[inverse]
        self._place = inverse * self._most + within

    def by_clip(self, tensor: torch.Tensor) -> torch.Tensor:
        """(rows, ...) as (clips, rows of a clip, ...), with zeros where a clip has fewer rows than others."""
        if not self._even:
            padded = tensor.new_zeros(len(self.clips) * self._most, *tensor.shape[1:])
            padded[self._place] = tensor
            tensor = padded
        return tensor.unflatten(0, (len(self.clips), self._most))

    def by_row(self, tensor: torch.Tensor) -> torch.Tensor:
        """The way back."""
        tensor = tensor.flatten(0, 1)
        return tensor if self._even else tensor[self._place]


class PrefixLayer(DynamicLayer):
    """Keys and values of one layer: those of each clip's start, and those of each row after it, with room to grow.

    Both are (clips or rows, heads, positions, width). `keys`, `values` and what `update` returns are the rows' own.
    """

    def __init__(self, start: tuple[torch.Tensor, torch.Tensor], rows: Rows) -> None:
        super().__init__()
        self.start, self.rows = start, rows
        self.dtype, self.device = start[0].dtype, start[0].device
        self._length = 0
        self._buffers: list[torch.Tensor] = []
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append positions; returns views of the rows' own so far."""
        states = key_states, value_states
        start, self._length = self._length, self._length + key_states.shape[2]
        if not self._buffers:
            self._buffers = [part.new_empty(*part.shape[:2], 0, part.shape[3]) for part in states]
        if self._buffers[0].shape[2] < self._length:
            room = self._length - self._buffers[0].shape[2] + ROOM
            self._buffers = [torch.nn.functional.pad(part, (0, 0, 0, room)) for part in self._buffers]
        for buffer, part in zip(self._buffers, states, strict=True):
            buffer[:, :, start : self._length] = part
        self.keys, self.values = (part[:, :, : self._length] for part in self._buffers)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Positions of a row, its start included."""
        return self.start[0].shape[2] + self._length

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Move what was generated between the beams of a row."""
        for buffer in self._buffers:
            own = buffer[:, :, : self._length]
            own.copy_(own.index_select(0, beam_idx))

    def repeated(self, beams: int, rows: Rows) -> "PrefixLayer":
        """Each row `beams` times."""
        layer = PrefixLayer(self.start, rows)
        if self._buffers:
            assert self.keys is not None
            assert self.values is not None
            layer.update(self.keys.repeat_interleave(beams, 0), self.values.repeat_interleave(beams, 0))
        return layer


def prefix_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of transformers' interface over a `PrefixLayer`, without dropout.

    Args:
        module: the attention layer, for its number.
        query: (rows, query heads, queries, width).
        key: (rows, heads, own positions, width), as `PrefixLayer.update` returned it.
        value: likewise.
        attention_mask: (rows, 1, queries, all positions) bool; None: all are seen.
        scaling: of the scores; None: one over the square root of the width.
        more: what other implementations take.

    Returns:
        (rows, queries, query heads, width), None.

    Raises:
        NotShared: scores are capped or biased, or keys were changed on the way here.
    """
    layer = _CACHE.get().layers[module.layer_idx]
    if key is not layer.keys or any(
        more.get(name) is not None for name in ("softcap", "position_bias", "s_aux")
    ):
        raise NotShared
    assert isinstance(layer, PrefixLayer)
    rows, (start_keys, start_values) = layer.rows, layer.start
    count, heads, queries, width = query.shape
    group = heads // key.shape[1]  # query heads that share a head of keys
    query = query.reshape(count, key.shape[1], group * queries, width)
    scaling = width**-0.5 if scaling is None else scaling
    at_start = _product(rows, query, start_keys.transpose(2, 3))
    scores = scaling * torch.cat([at_start, query @ key.transpose(2, 3)], dim=-1)
    if attention_mask is not None:
        seen = attention_mask[:, :, None].expand(-1, -1, group, -1, -1).flatten(2, 3)
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
    elif queries > 1:
        raise NotShared  # a mask that is implied
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    length = start_keys.shape[2]
    output = _product(rows, weights[..., :length], start_values) + weights[..., length:] @ value
    return output.reshape(count, heads, queries, width).transpose(1, 2).contiguous(), None


def _product(rows: Rows, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(rows, heads, m, k) times (clips, heads, k, n): (rows, heads, m, n)."""
    parts = rows.by_clip(left)  # (clips, rows of a clip, heads, m, k)
    product = parts.transpose(1, 2).flatten(2, 3) @ right
    return rows.by_row(product.unflatten(2, (parts.shape[1], -1)).transpose(1, 2))


AttentionInterface.register(ATTENTION, prefix_attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def can_share(llm: Any) -> bool:
    """Whether the start of an LLM's cache can be held once for several rows."""
    return (
        llm.config._attn_implementation == "sdpa"
        and llm._can_set_attn_implementation()
        and tolerates_gaps(DynamicCache(config=llm.config))
    )


@contextmanager
def shared(llm: Any, cache: DynamicCache) -> Iterator[None]:
    """Let an LLM read a cache; attention is exchanged if `share` made it."""
    if not isinstance(cache.layers[0], PrefixLayer):
        yield
        return
    before, token = llm.config._attn_implementation, _CACHE.set(cache)
    llm.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        llm.set_attn_implementation(before)
        _CACHE.reset(token)


def share(cache: DynamicCache, clips: torch.Tensor) -> DynamicCache:
    """A cache with a row for each of `clips`, (rows,), that starts from that row of `cache`, without copying it."""
    rows, layers = Rows(clips), _layers(cache)
    if len(rows.clips) == len(layers[0].keys):
        starts = [(layer.keys, layer.values) for layer in layers]
    else:
        starts = [(layer.keys[rows.clips], layer.values[rows.clips]) for layer in layers]
    return _with_layers(cache, [PrefixLayer(start, rows) for start in starts])


def repeated(cache: DynamicCache, clips: torch.Tensor, beams: int) -> DynamicCache:
    """A cache that `share` or `spread` made for `clips`, each row `beams` times."""
    if isinstance(cache.layers[0], PrefixLayer):
        rows = Rows(clips.repeat_interleave(beams))
        return _with_layers(cache, [layer.repeated(beams, rows) for layer in _layers(cache)])
    return spread(cache, torch.arange(len(clips), device=clips.device).repeat_interleave(beams))


def spread(cache: DynamicCache, rows: torch.Tensor) -> DynamicCache:
    """A cache with copies of `rows` of another, which stays as it is; for layers of any kind."""
    layers = []
    for layer in _layers(cache):
        own = copy.copy(layer)
        for name, value in vars(layer).items():
            if isinstance(value, (list, dict)):
                setattr(own, name, copy.copy(value))
        own.reorder_cache(rows)  # of transformers: it picks rows, whatever a layer holds
        layers.append(own)
    return _with_layers(cache, layers)


def tolerates_gaps(cache: DynamicCache) -> bool:
    """Whether masked positions may stand between others.

    A sliding window counts them in, a recurrent state takes them in; attention to all that is not masked does neither.
    """
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _layers(cache: DynamicCache) -> list[Any]:
    return cache.layers


def _with_layers(cache: DynamicCache, layers: list[Any]) -> DynamicCache:
    other = copy.copy(cache)
    other.layers = layers
    return other
