"""What a decoder with cross-attention (Whisper's) hears: keys and values once per clip, for all its rows and beams.

transformers repeats the encoder's output for every beam, projects each copy, and reads each copy for every token.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, EncoderDecoderCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from llast.model.prefix import Rows

ATTENTION = "llast_cross"


class HeardOnce(EncoderDecoderCache):
    """The cache of a Whisper decoder that has nothing said yet and everything heard.

    Args:
        decoder: of transformers' Whisper.
        heard: the encoder's output, (clips, positions, width).
        mask: (clips, positions) True where a clip has sound; None: everywhere.
        clips: (rows,) the clip of each row, rows of a clip one after the other.
    """

    def __init__(
        self, decoder: Any, heard: torch.Tensor, mask: torch.Tensor | None, clips: torch.Tensor
    ) -> None:
        self.rows = Rows(clips)
        self.mask = None if mask is None else mask[self.rows.clips, None, None]
        cache = DynamicCache()
        for number, layer in enumerate(decoder.layers):
            attention = layer.encoder_attn
            keys, values = (
                projection(heard).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2).contiguous()
                for projection in (attention.k_proj, attention.v_proj)
            )
            cache.update(*self.rows.starts((keys, values)), number)
        super().__init__(DynamicCache(), cache)

    def select(self, rows: torch.Tensor) -> None:
        """Keep the rows of an index, those of a clip together. As many as there were: moved within their clip."""
        self.self_attention_cache.reorder_cache(rows)  # type: ignore[arg-type]
        if len(rows) == len(self.rows.of_rows):
            return
        self.rows = Rows(self.rows.of_rows[rows])
        layers: list[Any] = self.cross_attention_cache.layers
        for layer in layers:
            layer.keys, layer.values = self.rows.starts((layer.keys, layer.values))
        if self.mask is not None:
            self.mask = self.mask[self.rows.clips]

    @contextmanager
    def attended(self, model: Any) -> Iterator[None]:
        """Let a model, whose attention is transformers' sdpa, read this cache. Not for several threads at once."""
        before, token = model.config._attn_implementation, _CACHE.set(self)
        try:
            model.set_attn_implementation(ATTENTION)
            yield
        finally:
            model.set_attn_implementation(before)
            _CACHE.reset(token)


_CACHE: ContextVar[HeardOnce] = ContextVar("cache")


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of transformers' interface; where keys are of clips, all rows of a clip meet them in one product."""
    if module.is_causal:  # what was said so far, which is each row's own
        return sdpa_attention_forward(module, query, key, value, attention_mask, **more)
    cache = _CACHE.get()
    queries = cache.rows.by_clip(query)  # (clips, rows of a clip, heads, queries, width)
    output = scaled_dot_product_attention(
        queries.transpose(1, 2).flatten(2, 3), key, value, attn_mask=cache.mask, scale=more["scaling"]
    )
    output = output.unflatten(2, (queries.shape[1], -1)).transpose(1, 2)
    return cache.rows.by_row(output).transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
