"""What LLaST asks of a family of speech encoders, and which families there are."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import PreTrainedModel

from llast.errors import ConfigError
from llast.model.bases import config_without_dropout


class SpeechEncoder(ABC):
    """A family of speech encoders: how models of transformers are loaded and run. It holds no weights.

    Every family gives a position per 20 ms, as `llast.model.features.encoder_positions` counts them: rows are laid
    out before there is a model. A clip's output is the same alone and in any batch.

    Attributes:
        model_types: `model_type` of the configurations of its models.
        windows: values of `encoder.window` that it takes.
        pads_clips: whether a batch computes each clip as long as its longest one, for want of a way to share sequences.
        lora_targets: last names of the linear layers that LoRA adapts by default; None: all those of the blocks.
    """

    model_types: ClassVar[tuple[str, ...]]
    windows: ClassVar[tuple[str, ...]]
    pads_clips: ClassVar[bool] = False
    lora_targets: ClassVar[tuple[str, ...] | None] = None

    def __init_subclass__(cls) -> None:
        _FAMILIES.update(dict.fromkeys(cls.model_types, cls))

    @abstractmethod
    def check(self, config: Any, where: str) -> None:
        """Refuse a configuration of this family that LLaST cannot use.

        Args:
            config: the model's.
            where: names the model in the message.

        Raises:
            ConfigError: its positions are not 20 ms apart, for one.
            DataError: it has too few.
        """

    @abstractmethod
    def load(self, folder: Path, config: Any, dtype: torch.dtype) -> PreTrainedModel:
        """The encoder of a Hugging Face folder, with this configuration."""

    @abstractmethod
    def new(self, config: Any) -> PreTrainedModel:
        """An encoder with random weights."""

    def normalizes(self, folder: Path) -> bool:
        """Whether the model of a folder was trained on clips of mean 0 and variance 1."""
        return False

    def padded_positions(self, window: str) -> int | None:
        """Encoder positions that every clip is padded to before it is read; None: a clip is read as it is."""
        return None

    @abstractmethod
    def encode(
        self,
        encoder: Any,
        samples: torch.Tensor,
        positions: torch.Tensor,
        window: str,
        normalize: bool = False,
    ) -> torch.Tensor:
        """Encoder output of a batch of clips.

        Args:
            encoder: what `load` or `new` gave.
            samples: (clips, samples) float, 16 kHz, zero-padded to the longest clip.
            positions: (clips,) encoder positions (20 ms) of each clip.
            window: one of `windows`.
            normalize: bring each clip to mean 0 and variance 1 first, where the family does that.

        Returns:
            (clips, longest, width), cut to the longest clip of the batch; what follows a clip's own positions is of
            no use.
        """

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
        """Encoder output at some positions of a batch of clips.

        A family whose clips can share a sequence computes no padding here. This is for those that cannot.

        Args:
            encoder: what `load` or `new` gave.
            samples: (clips, samples) float, 16 kHz, zero-padded to the longest clip.
            positions: (clips,) encoder positions (20 ms) of each clip.
            frames: (sequences, length) where the clips' positions lie, see `llast.model.layout.audio_layout`.
            wanted: (wanted,) places in `frames`.
            window: one of `windows`.
            normalize: as for `encode`.

        Returns:
            (wanted, width).
        """
        hidden = self.encode(encoder, samples, positions, window, normalize)
        return hidden.flatten(0, 1).index_select(0, frames.flatten().index_select(0, wanted))


_FAMILIES: dict[str, type[SpeechEncoder]] = {}


def speech_encoder(config: Any, where: str) -> SpeechEncoder:
    """The family of a model's configuration.

    Args:
        config: the model's.
        where: names the model in the message.

    Raises:
        ConfigError: no family has such models, or the family cannot use this one.
        DataError: it has too few positions.
    """
    if config.model_type not in _FAMILIES:
        raise ConfigError(
            f"{where} is a model of type '{config.model_type}', not a speech encoder that LLaST can use: "
            f"{', '.join(sorted(_FAMILIES))}."
        )
    family = _FAMILIES[config.model_type]()
    family.check(config, where)
    return family


def load_encoder(folder: Path, window: str, dtype: torch.dtype) -> PreTrainedModel:
    """The speech encoder of a Hugging Face folder, without dropout of any kind.

    Raises:
        ConfigError: LLaST cannot use the model, or not with this window.
        DataError: its files are broken, or weights missing or not finite.
    """
    config = config_without_dropout(folder)
    family = speech_encoder(config, str(folder))
    if window not in family.windows:
        raise ConfigError(
            f"encoder.window '{window}' is not for {folder}, a model of type '{config.model_type}'. Set encoder.window "
            f"to {' or '.join(family.windows)}."
        )
    return family.load(folder, config, dtype)
