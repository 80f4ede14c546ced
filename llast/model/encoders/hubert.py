"""HuBERT-like encoders of raw samples: HuBERT, wav2vec 2.0, WavLM (arXiv 2106.07447)."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel

from llast.errors import ConfigError
from llast.model.encoders.base import SpeechEncoder
from llast.model.features import HOP, encoder_positions
from llast.model.weights import load_whole

STEP = 2 * HOP
RECEPTIVE_FIELD = 400


class HubertSpeechEncoder(SpeechEncoder):
    """Convolutions of 20 ms steps without padding of their own, then a transformer.

    A clip of p positions is read up to sample 320 p + 80, zeros included: the convolutions turn that into p positions.
    """

    model_types = ("hubert", "wav2vec2", "wavlm")
    windows = ("clip",)
    pads_clips = True  # positions are convolved over 128 others

    def check(self, config: Any, where: str) -> None:
        """Refuse convolutions of another step or receptive field."""
        step, field = math.prod(config.conv_stride), 1
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            field = (field - 1) * stride + kernel
        if (step, field) != (STEP, RECEPTIVE_FIELD):
            raise ConfigError(
                f"{where} has a position every {step} samples that sees {field}; LLaST needs {STEP} and "
                f"{RECEPTIVE_FIELD}. Choose another encoder."
            )

    def load(self, folder: Path, config: Any, dtype: torch.dtype) -> PreTrainedModel:
        return _norm_by_clip(load_whole(AutoModel.from_pretrained, folder, config=config, dtype=dtype))

    def new(self, config: Any) -> PreTrainedModel:
        return _norm_by_clip(AutoModel.from_config(config))

    def normalizes(self, folder: Path) -> bool:
        try:
            found = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        return bool(found.get("do_normalize", False))

    def encode(
        self,
        encoder: Any,
        samples: torch.Tensor,
        positions: torch.Tensor,
        window: str,
        normalize: bool = False,
    ) -> torch.Tensor:
        ends = positions * STEP + RECEPTIVE_FIELD - STEP
        width = encoder_positions(samples.shape[1]) * STEP + RECEPTIVE_FIELD - STEP
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


def _norm_by_clip(model: Any) -> PreTrainedModel:
    """Let the group norm, if the model has one, see each clip's own length."""
    norm = getattr(model.feature_extractor.conv_layers[0], "layer_norm", None)
    if isinstance(norm, nn.GroupNorm):
        norm.__class__ = _ClipNorm
    by_clip: PreTrainedModel = model
    return by_clip
