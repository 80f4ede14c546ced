"""Whisper's encoder half (arXiv 2212.04356)."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from llast.errors import DataError
from llast.model.encoders.base import SpeechEncoder
from llast.model.features import WINDOW_FRAMES, encoder_positions, log_mel, log_mel_30s
from llast.model.layout import MULTIPLE, additive, clip_mask
from llast.model.weights import load_whole


class _EncoderHalf(WhisperEncoder):
    """Whisper's encoder, loadable from a checkpoint of the whole model without a word about the decoder."""

    _keys_to_ignore_on_load_unexpected = [r"^unused_decoder\.", r"^proj_out\."]  # noqa: RUF012


class WhisperSpeechEncoder(SpeechEncoder):
    """Reads log-mels: of a window of 30 s, as it was trained, or of a clip's own frames (`window: clip`)."""

    model_types = ("whisper",)
    windows = ("30s", "clip")

    def check(self, config: Any, where: str) -> None:
        """Refuse one that hears less than 30 s. Positions are 20 ms apart in all; 80 and 128 mel bins are computed."""
        if config.max_source_positions < WINDOW_FRAMES // 2:
            raise DataError(
                f"{where} has {config.max_source_positions} positions (max_source_positions); a window of 30 s needs "
                f"{WINDOW_FRAMES // 2}. Choose another encoder."
            )

    def load(self, folder: Path, config: Any, dtype: torch.dtype) -> PreTrainedModel:
        encoder: PreTrainedModel = load_whole(
            _EncoderHalf.from_pretrained,
            folder,
            config=config,
            dtype=dtype,
            key_mapping={r"^(model\.)?encoder\.": "", r"^(model\.)?decoder\.": "unused_decoder."},
        )
        return encoder

    def new(self, config: Any) -> PreTrainedModel:
        return WhisperEncoder(config)

    def padded_positions(self, window: str) -> int | None:
        return WINDOW_FRAMES // 2 if window == "30s" else None

    def encode(
        self,
        encoder: Any,
        samples: torch.Tensor,
        positions: torch.Tensor,
        window: str,
        normalize: bool = False,
    ) -> torch.Tensor:
        longest, n_mels = encoder_positions(samples.shape[1]), encoder.config.num_mel_bins
        if self.padded_positions(window):
            mel = log_mel_30s(samples, n_mels)
            assert mel.shape[2] == WINDOW_FRAMES
            output: torch.Tensor = encoder(mel.to(encoder.conv1.weight.dtype)).last_hidden_state[:, :longest]
            return output
        return encode_mels(encoder, log_mel(samples, 2 * positions, n_mels, 2 * longest), 2 * positions)

    def encode_own(
        self,
        encoder: Any,
        samples: torch.Tensor,
        positions: torch.Tensor,
        frames: torch.Tensor,
        wanted: torch.Tensor,
        window: str,
        normalize: bool = False,
    ) -> torch.Tensor:
        if self.padded_positions(window):
            return super().encode_own(encoder, samples, positions, frames, wanted, window, normalize)
        longest, n_mels = encoder_positions(samples.shape[1]), encoder.config.num_mel_bins
        hidden = _convolved(encoder, log_mel(samples, 2 * positions, n_mels, 2 * longest), 2 * positions)
        hidden = (
            hidden.flatten(0, 1).index_select(0, frames.clamp(min=0).flatten()).unflatten(0, frames.shape)
        )
        return (
            _transformed(encoder, hidden, clip_mask(frames, longest, hidden.dtype))
            .flatten(0, 1)
            .index_select(0, wanted)
        )


def encode_mels(encoder: Any, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Run Whisper's encoder on mels shorter than 30 s, which transformers' own forward refuses.

    Padding is masked after the first convolution and in attention.

    Args:
        encoder: Whisper's encoder.
        mel: (clips, n_mels, frames) log-mel, zero beyond each clip's frames; an even number of frames.
        frames: (clips,) even number of mel frames of each clip.

    Returns:
        (clips, frames / 2, d_model); positions beyond `frames / 2` of a clip hold nothing of use.
    """
    hidden = _convolved(encoder, mel, frames)
    length = hidden.shape[1]
    inside = torch.arange(length, device=mel.device) < frames[:, None] // 2
    # In memory a row a clip: fused kernels refuse masks whose values do not lie side by side, or are not aligned.
    mask = additive(nn.functional.pad(inside, (0, -length % MULTIPLE))[:, None], hidden.dtype)
    return _transformed(encoder, hidden, mask[..., :length].expand(-1, 1, length, -1))


def _convolved(encoder: Any, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Both convolutions and the embeddings of positions: (clips, frames / 2, d_model)."""
    inside = torch.arange(mel.shape[2], device=mel.device) < frames[:, None]
    hidden = nn.functional.gelu(encoder.conv1(mel.to(encoder.conv1.weight.dtype)))
    hidden = nn.functional.gelu(encoder.conv2(hidden * inside[:, None, :])).transpose(1, 2)
    embedded: torch.Tensor = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    return embedded


def _transformed(encoder: Any, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The blocks, under a mask that is added to scores."""
    for layer in encoder.layers:
        hidden = layer(hidden, mask)
    output: torch.Tensor = encoder.layer_norm(hidden)
    return output
