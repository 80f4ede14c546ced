"""A cache whose rows start from what others have in common: the audio of a clip, for all its rows.

Where the LLM's attention can be exchanged, the audio is held once per clip, and the queries of all the clip's rows and
beams meet it in one matrix product. Elsewhere each row gets a copy.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import sdpa_mask

from llast.errors import DataError
from llast.model.weights import first_line

ROOM = 8
"""Positions by which a layer grows at a time; transformers' own copies all that it holds for each new token."""
ATTENTION = "llast_prefix"
_CACHE: ContextVar[DynamicCache] = ContextVar("cache")


class Rows:
    """Which rows start from which clip.

    Args:
        clips: (rows,) the clip of each row, rows of a clip one after the other.

    Attributes:
        clips: (clips,) those that there are, each once.
        of_rows: (rows,) for each row its place among them.
    """

    def __init__(self, clips: torch.Tensor) -> None:
        self.clips, self.of_rows, counts = clips.unique_consecutive(return_inverse=True, return_counts=True)
        self._most = int(counts.max())
        self._even = bool((counts == self._most).all())
        first = counts.cumsum(0) - counts
        within = torch.arange(len(clips), device=clips.device) - first[self.of_rows]
        self._place = self.of_rows * self._most + within

    def starts(self, start: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (all clips, ...) of the clips that there are."""
        keys, values = start
        return start if len(keys) == len(self.clips) else (keys[self.clips], values[self.clips])

    def by_clip(self, tensor: torch.Tensor) -> torch.Tensor:
        """(rows, ...) as (clips, rows of a clip, ...), with zeros where a clip has fewer rows than others."""
        if not self._even:
            padded = tensor.new_zeros(len(self.clips) * self._most, *tensor.shape[1:])
            padded[self._place] = tensor
            tensor = padded
        return tensor.unflatten(0, (len(self.clips), self._most))

    def by_row(self, tensor: torch.Tensor) -> torch.Tensor:
        """(clips, rows of a clip, ...) as (rows, ...): undoes `by_clip` and drops its padding."""
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

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep the rows of an index, (rows,), each as often as it is there."""
        self._buffers = [buffer.index_select(0, beam_idx) for buffer in self._buffers]
        if self._buffers:
            self.keys, self.values = (part[:, :, : self._length] for part in self._buffers)


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
        attention_mask: (rows, 1, queries, all positions), added to the scores; None: all are seen.
        scaling: of the scores; None: one over the square root of the width.
        more: what other implementations take.

    Returns:
        (rows, queries, query heads, width), None.

    Raises:
        NotImplementedError: scores are capped or biased, keys or values were changed on the way here, or the mask is
            of another shape.
    """
    layer = _CACHE.get().layers[module.layer_idx]
    count, heads, queries, width = query.shape
    changed = key is not layer.keys or value is not layer.values
    other = any(more.get(name) is not None for name in ("softcap", "position_bias", "s_aux"))
    shape = (count, 1, queries, layer.get_seq_length())
    if changed or other or (queries > 1 if attention_mask is None else attention_mask.shape != shape):
        raise NotImplementedError("this LLM's attention is more than the usual")
    assert isinstance(layer, PrefixLayer)
    rows, (start_keys, start_values) = layer.rows, layer.start
    group = heads // key.shape[1]  # query heads that share a head of keys
    scaling = width**-0.5 if scaling is None else scaling
    query = scaling * query.reshape(count, key.shape[1], group * queries, width)
    at_start = _product(rows, query, start_keys.transpose(2, 3))
    scores = torch.cat([at_start, query @ key.transpose(2, 3)], dim=-1)
    if attention_mask is not None:
        scores += attention_mask if queries == 1 else attention_mask.repeat(1, 1, group, 1)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    length = start_keys.shape[2]
    output = _product(rows, weights[..., :length], start_values) + weights[..., length:] @ value
    return output.reshape(count, heads, queries, width).transpose(1, 2).contiguous(), None


def _additive_mask(*args: Any, dtype: torch.dtype = torch.float32, **more: Any) -> torch.Tensor | None:
    """The mask that all layers of a forward pass add to their scores, made once."""
    seen = sdpa_mask(*args, dtype=dtype, **more)
    return (
        None
        if seen is None
        else torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
    )


def _product(rows: Rows, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(rows, heads, m, k) times (clips, heads, k, n): (rows, heads, m, n)."""
    parts = rows.by_clip(left)  # (clips, rows of a clip, heads, m, k)
    product = parts.transpose(1, 2).flatten(2, 3) @ right
    return rows.by_row(product.unflatten(2, (parts.shape[1], -1)).transpose(1, 2))


AttentionInterface.register(ATTENTION, prefix_attention)
AttentionMaskInterface.register(ATTENTION, _additive_mask)


def can_share(llm: Any) -> bool:
    """Whether the start of an LLM's cache can be held once for several rows: tried on a few tokens, once per LLM."""
    if llm not in _SHARES:
        _SHARES[llm] = (
            llm.config._attn_implementation == "sdpa"
            and llm._can_set_attn_implementation()
            and tolerates_gaps(DynamicCache(config=llm.config))
            and _reads_alike(llm)
        )
    return _SHARES[llm]


_SHARES: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.1}
"""Largest difference that is rounding, as a share of the largest hidden state."""


@torch.no_grad()
def require_readable(llm: Any) -> None:
    """Refuse an LLM that cannot be decoded from: tried on a few tokens, once per LLM.

    It has to read embeddings and, after a cache, what follows, with padding before it, as it reads all of that at once.

    Raises:
        DataError: it fails, or reads something else; names its `model_type`.
    """
    if llm in _READABLE:
        return
    device, training = llm.get_input_embeddings().weight.device, llm.training
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(min(1000, llm.config.get_text_config().vocab_size), (2, 6), generator=random).to(
        device
    )
    mask = torch.ones_like(ids)
    mask[1, :2] = 0
    llm.eval()
    try:
        inputs, cache = llm.get_input_embeddings()(ids), DynamicCache(config=llm.config)
        read(llm, cache, mask[:, :4], inputs_embeds=inputs[:, :4])
        pieces = read(llm, cache, mask, inputs_embeds=inputs[:, 4:])
        rows = [read(llm, DynamicCache(config=llm.config), m[m > 0][None], inputs_embeds=x[m > 0][None])
                for m, x in zip(mask, inputs, strict=True)]  # fmt: skip
        whole = torch.cat([row[:, -2:] for row in rows])
        difference = float((pieces - whole).abs().max() / whole.abs().max())
        wrong = (
            ""
            if difference <= TOLERANCE.get(whole.dtype, 0.1)
            else "read in pieces, a text is another one to it"
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a family makes of arguments that it does not know
        wrong = f"{type(error).__name__}: {first_line(error)}".rstrip(".")
    finally:
        llm.train(training)
    if wrong:
        where = llm.config._name_or_path or "the LLM"
        raise DataError(
            f"{where} is of model_type '{llm.config.model_type}', which nothing can be decoded from ({wrong}). "
            "Choose an LLM that takes embeddings, positions and a cache of keys and values, see docs/models.md."
        )
    _READABLE.add(llm)


_READABLE: WeakSet[Any] = WeakSet()


@torch.no_grad()
def _reads_alike(llm: Any) -> bool:
    """Whether hidden states are those that copies give: two clips, one padded, with two rows and one, of two beams."""
    device = llm.get_input_embeddings().weight.device
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(min(1000, llm.config.vocab_size), (6, 12), generator=random).to(device)
    clips = torch.tensor([0, 0, 1], device=device)
    mask = torch.ones(2, 6, dtype=torch.long, device=device)
    mask[1, :2] = 0
    cache = DynamicCache(config=llm.config)
    read(llm, cache, mask, input_ids=ids[:2, :6])
    mask = torch.cat([mask[clips], torch.ones(3, 4, dtype=torch.long, device=device)], dim=1)
    mask[0, 6:8] = 0
    found = []
    for start in (share(cache, clips), spread(cache, clips)):
        try:
            with shared(llm, start):
                read(llm, start, mask[:, :-1], input_ids=ids[:3, 6:9])
                # Each row goes on twice, and then those of the first clip leave.
                twice = torch.arange(3, device=device).repeat_interleave(2)
                select(start, twice)
                read(llm, start, mask[twice], input_ids=ids[:, 9:10])
                select(start, torch.tensor([5, 4], device=device))
                longer = torch.nn.functional.pad(mask[[2, 2]], (0, 1), value=1)
                found.append(read(llm, start, longer, input_ids=ids[:2, 10:11]))
        except torch.OutOfMemoryError:
            raise
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
            return False  # its own attention is what it needs
    difference, largest = (found[0] - found[1]).abs().max(), found[1].abs().max()
    return bool(difference <= TOLERANCE.get(found[0].dtype, 0.1) * largest)


def read(llm: Any, cache: DynamicCache, mask: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
    """Run an LLM's blocks on what a cache does not hold yet, at positions that count `mask` only.

    Args:
        llm: a causal LM.
        cache: is extended.
        mask: (rows, positions held and new), 1 where there is something.
        inputs: `input_ids`, (rows, new), or `inputs_embeds`, (rows, new, width).

    Returns:
        Hidden states, (rows, new, width).
    """
    length = next(iter(inputs.values())).shape[1]
    hidden: torch.Tensor = llm.get_decoder()(
        attention_mask=mask,
        position_ids=_positions(mask, length),
        past_key_values=cache,
        use_cache=True,
        **inputs,
    ).last_hidden_state
    return hidden


@contextmanager
def shared(llm: Any, cache: DynamicCache) -> Iterator[None]:
    """Let an LLM read a cache; its attention is exchanged if `share` made that. Not for several threads at once."""
    if not isinstance(cache.layers[0], PrefixLayer):
        yield
        return
    before, token = llm.config._attn_implementation, _CACHE.set(cache)
    try:
        llm.set_attn_implementation(ATTENTION)
        yield
    finally:
        llm.set_attn_implementation(before)
        _CACHE.reset(token)


def share(cache: DynamicCache, clips: torch.Tensor) -> DynamicCache:
    """A cache with a row for each of `clips`, (rows,) ascending, that starts from that row of `cache`, not copied."""
    rows = Rows(clips)
    return _with_layers(
        cache, [PrefixLayer(rows.starts((layer.keys, layer.values)), rows) for layer in _layers(cache)]
    )


def select(cache: DynamicCache, rows: torch.Tensor) -> None:
    """Keep the rows of an index of a cache that `share` or `spread` made.

    Args:
        cache: is changed.
        rows: (rows,), those of a clip one after the other. As many as there were: moved within their clip.
    """
    layers = _layers(cache)
    if isinstance(layers[0], PrefixLayer) and len(rows) != len(layers[0].rows.of_rows):
        left = Rows(layers[0].rows.of_rows[rows])
        for layer in layers:
            layer.start, layer.rows = left.starts(layer.start), left
    for layer in layers:
        layer.reorder_cache(rows)


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


def next_logits(llm: Any, cache: DynamicCache, mask: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Logits after the last of `ids`, (rows, new), which are read as `read` does: (rows, vocabulary)."""
    last = {"logits_to_keep": 1} if "logits_to_keep" in signature(llm.forward).parameters else {}
    logits: torch.Tensor = llm(
        input_ids=ids,
        attention_mask=mask,
        position_ids=_positions(mask, ids.shape[1]),
        past_key_values=cache,
        **last,
    ).logits[:, -1]
    return logits


def tolerates_gaps(cache: DynamicCache) -> bool:
    """Whether masked positions may stand between others.

    A sliding window counts them in, a recurrent state takes them in; attention to all that is not masked does neither.
    """
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _positions(mask: torch.Tensor, length: int) -> torch.Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)[:, -length:]


def _layers(cache: DynamicCache) -> list[Any]:
    return cache.layers


def _with_layers(cache: DynamicCache, layers: list[Any]) -> DynamicCache:
    other = copy.copy(cache)
    other.layers = layers
    return other
