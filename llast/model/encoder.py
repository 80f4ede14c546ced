"""The speech encoder: Whisper's encoder half, or a HuBERT-like model on raw samples.

Both give a position per 20 ms. A clip's output is the same alone and in any batch.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from llast.errors import ConfigError
from llast.model.bases import config_without_dropout
from llast.model.features import HOP, WINDOW_FRAMES, log_mel, log_mel_30s

WAVE_TYPES = ("hubert", "wav2vec2", "wavlm")
"""Model types that read raw samples: convolutions of 20 ms steps, then a transformer (arXiv 2106.07447)."""
STEP = 2 * HOP
RECEPTIVE_FIELD = 400


class _EncoderHalf(WhisperEncoder):
    """Whisper's encoder, loadable from a checkpoint of the whole model without a word about the decoder."""

    _keys_to_ignore_on_load_unexpected = [r"^unused_decoder\.", r"^proj_out\."]  # noqa: RUF012


def load_encoder(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The encoder of a Hugging Face folder: Whisper's encoder half, or a HuBERT-like model.

    Raises:
        ConfigError: another kind of model, or one whose positions are not 20 ms apart.
    """
    config = config_without_dropout(folder)
    check_encoder(config, str(folder))
    if config.model_type in WAVE_TYPES:
        return _by_clip(AutoModel.from_pretrained(folder, config=config, dtype=dtype))
    return _EncoderHalf.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        key_mapping={r"^(model\.)?encoder\.": "", r"^(model\.)?decoder\.": "unused_decoder."},
    )


def new_encoder(config: Any) -> PreTrainedModel:
    """An encoder with random weights."""
    if config.model_type in WAVE_TYPES:
        return _by_clip(AutoModel.from_config(config))
    return WhisperEncoder(config)


def check_encoder(config: Any, where: str) -> None:
    """Refuse what cannot be a speech encoder here.

    Raises:
        ConfigError: names the model type, or the step and receptive field of its convolutions.
    """
    if config.model_type not in ("whisper", *WAVE_TYPES):
        raise ConfigError(
            f"{where} is a model of type '{config.model_type}', not a speech encoder that LLaST can use: "
            f"whisper, {', '.join(WAVE_TYPES)}."
        )
    if config.model_type in WAVE_TYPES:
        field = 1
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            field = (field - 1) * stride + kernel
        if (math.prod(config.conv_stride), field) != (STEP, RECEPTIVE_FIELD):
            raise ConfigError(
                f"{where} has a position every {math.prod(config.conv_stride)} samples that sees {field}; "
                f"LLaST needs {STEP} and {RECEPTIVE_FIELD}. Choose another encoder."
            )


def normalizes(folder: Path) -> bool:
    """Whether a HuBERT-like model was trained on clips of mean 0 and variance 1."""
    try:
        found = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(found.get("do_normalize", False))


def encode_clips(
    encoder: Any,
    samples: torch.Tensor,
    positions: torch.Tensor,
    window: str,
    normalize: bool = False,
) -> torch.Tensor:
    """Encoder output of a batch of clips.

    Args:
        encoder: Whisper's encoder, or a HuBERT-like model.
        samples: (clips, samples) float, 16 kHz, zero-padded.
        positions: (clips,) encoder positions (20 ms) of each clip.
        window: `30s` (Whisper only) or `clip`.
        normalize: bring each clip to mean 0 and variance 1 first (HuBERT-like models only).

    Returns:
        (clips, longest, width): each clip's positions, cut to the longest clip of the batch.
    """
    longest = int(positions.max())
    if encoder.config.model_type in WAVE_TYPES:
        return _encode_waves(encoder, samples, positions, normalize)
    n_mels = encoder.config.num_mel_bins
    if window == "30s":
        mel = log_mel_30s(samples, n_mels)
        assert mel.shape[2] == WINDOW_FRAMES
        output: torch.Tensor = encoder(mel.to(encoder.conv1.weight.dtype)).last_hidden_state[:, :longest]
        return output
    mel = log_mel(samples, 2 * positions, n_mels, 2 * longest)
    return encode(encoder, mel, 2 * positions)


def encode(encoder: Any, mel: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Run Whisper's encoder on mels shorter than 30 s, which transformers' own forward refuses.

    Padding is masked after the first convolution and in attention.

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
    output: torch.Tensor = encoder.layer_norm(hidden)
    return output


class _ClipNorm(nn.GroupNorm):
    """A group norm with a group per channel, over each clip's own length: as if the clip stood there alone.

    One call for all clips: under ZeRO-3, every rank has to call each module equally often.
    """

    lengths: torch.Tensor  # (clips,), set before each call

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalise (clips, channels, length)."""
        inside = torch.arange(hidden.shape[2], device=hidden.device) < self.lengths[:, None, None]
        values, count = hidden.float(), self.lengths[:, None, None]
        mean = (values * inside).sum(dim=2, keepdim=True) / count
        variance = ((values - mean) ** 2 * inside).sum(dim=2, keepdim=True) / count
        values = (values - mean) * torch.rsqrt(variance + self.eps)
        return (values * self.weight[:, None] + self.bias[:, None]).to(hidden.dtype)


def _by_clip(model: Any) -> PreTrainedModel:
    """Let a HuBERT-like model's group norm, if it has one, see each clip's own length."""
    norm = getattr(model.feature_extractor.conv_layers[0], "layer_norm", None)
    if isinstance(norm, nn.GroupNorm):
        norm.__class__ = _ClipNorm
    by_clip: PreTrainedModel = model
    return by_clip


def _encode_waves(
    encoder: Any, samples: torch.Tensor, positions: torch.Tensor, normalize: bool
) -> torch.Tensor:
    """Run a HuBERT-like model, whose convolutions have no padding of their own.

    A clip of p positions is read up to sample 320 p + 80, zeros included: the convolutions turn that into p positions.

    Returns:
        (clips, longest, width); positions beyond a clip's own hold nothing of use.
    """
    ends = positions * STEP + RECEPTIVE_FIELD - STEP
    width = int(ends.max())
    waves = nn.functional.pad(samples.float(), (0, max(0, width - samples.shape[1])))[:, :width]
    if normalize:
        own = torch.arange(width, device=waves.device) < ends[:, None]
        mean = (waves * own).sum(dim=1, keepdim=True) / ends[:, None]
        variance = ((waves - mean) ** 2 * own).sum(dim=1, keepdim=True) / ends[:, None]
        waves = (waves - mean) / torch.sqrt(variance + 1e-7) * own
    first = encoder.feature_extractor.conv_layers[0]
    if isinstance(getattr(first, "layer_norm", None), _ClipNorm):
        first.layer_norm.lengths = (ends - first.conv.kernel_size[0]) // first.conv.stride[0] + 1
    features = encoder.feature_extractor(waves.to(encoder.dtype)).transpose(1, 2)
    projected = encoder.feature_projection(features)
    hidden = projected[0] if isinstance(projected, tuple) else projected
    inside = torch.arange(hidden.shape[1], device=hidden.device) < positions[:, None]
    output: torch.Tensor = encoder.encoder(
        hidden * inside[..., None], attention_mask=inside
    ).last_hidden_state
    return output
