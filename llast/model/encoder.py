"""The speech encoder: Whisper's encoder half, on 30 s windows or on the real frames of a clip only."""

from pathlib import Path

import torch
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from llast.model.features import WINDOW_FRAMES, log_mel, log_mel_30s


class _EncoderHalf(WhisperEncoder):
    """Whisper's encoder, loadable from a checkpoint of the whole model without a word about the decoder."""

    _keys_to_ignore_on_load_unexpected = [r"^unused_decoder\.", r"^proj_out\."]  # noqa: RUF012


def load_encoder(folder: Path, dtype: torch.dtype) -> WhisperEncoder:
    """The encoder half of a Whisper checkpoint in Hugging Face format."""
    encoder: WhisperEncoder = _EncoderHalf.from_pretrained(
        folder,
        config=WhisperConfig.from_pretrained(folder),
        dtype=dtype,
        attn_implementation="sdpa",
        key_mapping={r"^(model\.)?encoder\.": "", r"^(model\.)?decoder\.": "unused_decoder."},
    )
    return encoder


def encode(encoder: WhisperEncoder, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Run Whisper's encoder on mels shorter than 30 s.

    transformers' own forward refuses them. Padding is masked after the first convolution and in attention, so a
    clip's output is the same alone and in any batch.

    Args:
        encoder: Whisper's encoder.
        mel: (clips, n_mels, frames) log-mel, zero beyond each clip's frames; an even number of frames.
        frames: (clips,) even number of mel frames of each clip.

    Returns:
        (clips, frames / 2, d_model); positions beyond `frames / 2` of a clip hold nothing of use.
    """
    width = mel.shape[2]
    inside = torch.arange(width, device=mel.device) < frames[:, None]
    hidden = nn.functional.gelu(encoder.conv1(mel.to(encoder.conv1.weight.dtype)))
    hidden = nn.functional.gelu(encoder.conv2(hidden * inside[:, None, :])).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: width // 2]
    mask = inside[:, None, None, ::2].expand(-1, 1, width // 2, -1)
    if encoder.config._attn_implementation == "eager":
        floor = torch.finfo(hidden.dtype).min
        mask = torch.zeros(mask.shape, dtype=hidden.dtype, device=mel.device).masked_fill(~mask, floor)
    for layer in encoder.layers:
        hidden = layer(hidden, mask)
    return encoder.layer_norm(hidden)


def encode_clips(
    encoder: WhisperEncoder, samples: torch.Tensor, positions: torch.Tensor, window: str
) -> torch.Tensor:
    """Encoder output of a batch of clips.

    Args:
        encoder: Whisper's encoder.
        samples: (clips, samples) float, 16 kHz, zero-padded.
        positions: (clips,) encoder positions (20 ms) of each clip.
        window: `30s` or `clip`.

    Returns:
        (clips, longest, d_model): each clip's positions, cut to the longest clip of the batch.
    """
    longest = int(positions.max())
    n_mels = encoder.config.num_mel_bins
    if window == "30s":
        mel = log_mel_30s(samples, n_mels)
        assert mel.shape[2] == WINDOW_FRAMES
        return encoder(mel.to(encoder.conv1.weight.dtype)).last_hidden_state[:, :longest]
    mel = log_mel(samples, 2 * positions, n_mels, 2 * longest)
    return encode(encoder, mel, 2 * positions)
