"""Whisper's features and encoder against transformers' own, and independence of a clip from its batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from llast.config.experiment import LoraOptions
from llast.errors import ConfigError
from llast.model.encoders.base import load_encoder
from llast.model.encoders.whisper import WhisperSpeechEncoder
from llast.model.features import encoder_positions, log_mel_30s
from llast.model.lora import lora_config
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import pad_audio

FAMILY = WhisperSpeechEncoder()


@pytest.fixture(scope="module")
def long_clip() -> np.ndarray:
    return (0.1 * np.random.default_rng(2).standard_normal(500_000)).astype(np.float32)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_mel_equals_the_feature_extractor(
    clips: list[np.ndarray], long_clip: np.ndarray, n_mels: int
) -> None:
    """In a batch, and for a clip that is cut at 30 s."""
    clips = [*clips, long_clip]
    extractor = WhisperFeatureExtractor(feature_size=n_mels)
    expected = extractor(clips, sampling_rate=16_000, return_tensors="pt").input_features
    torch.testing.assert_close(log_mel_30s(pad_audio(clips)[0], n_mels), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_30s_window_equals_whisper(
    base_models: Path, clips: list[np.ndarray], n_mels: int, tmp_path: Path
) -> None:
    config = WhisperConfig.from_pretrained(base_models / "whisper", num_mel_bins=n_mels)
    WhisperModel(config).save_pretrained(tmp_path)
    whisper = WhisperModel.from_pretrained(tmp_path).eval()
    encoder: Any = load_encoder(tmp_path, "30s", torch.float32).eval()
    features = WhisperFeatureExtractor(feature_size=n_mels)(
        clips, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    with torch.no_grad():
        expected = whisper.encoder(features).last_hidden_state
        output = FAMILY.encode(encoder, *pad_audio(clips), "30s")
    assert output.shape == (3, 31_000 // 320, 32)
    torch.testing.assert_close(output, expected[:, : output.shape[1]], atol=1e-4, rtol=0)


@pytest.mark.parametrize("window", ["30s", "clip"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_clip_is_the_same_alone_and_in_a_batch(
    base_models: Path, clips: list[np.ndarray], window: str, attention: str
) -> None:
    encoder: Any = load_encoder(base_models / "whisper", window, torch.float32).eval()
    encoder.set_attn_implementation(attention)
    samples, positions = pad_audio(clips)
    with torch.no_grad():
        together = FAMILY.encode(encoder, samples, positions, window)
        for row, clip in enumerate(clips):
            alone = FAMILY.encode(encoder, torch.from_numpy(clip)[None], positions[row : row + 1], window)
            torch.testing.assert_close(together[row, : positions[row]], alone[0], atol=1e-5, rtol=0)


def test_clip_window_with_30_s_of_sound_is_the_30_s_window(base_models: Path) -> None:
    """On a full window both ways see the same frames, so they must agree."""
    sound = (0.1 * np.random.default_rng(2).standard_normal(480_000)).astype(np.float32)
    sound[-400:] = 0  # the 30 s window reflects the end, the clip window pads it with zeros
    encoder = load_encoder(base_models / "whisper", "30s", torch.float32).eval()
    with torch.no_grad():
        clip, window = (FAMILY.encode(encoder, *pad_audio([sound]), name) for name in ("clip", "30s"))
    assert clip.shape[1] == FAMILY.padded_positions("30s")
    torch.testing.assert_close(clip, window, atol=1e-4, rtol=0)


def test_lora_goes_where_the_family_says(base_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every linear layer of the blocks where it says nothing; `targets` of an experiment come first."""
    model = LlastForConditionalGeneration.from_bases(
        base_models / "whisper", base_models / "llama", "clip", 1, "llama2", torch.float32
    )

    def targets(options: LoraOptions) -> set[str]:
        config = lora_config(model, options, None)
        assert config is not None
        assert isinstance(config.target_modules, str)
        return set(config.target_modules.partition(r"\.(")[2].rstrip(")$").split("|"))

    linear = {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}
    assert targets(LoraOptions(rank=1, alpha=1)) == linear
    monkeypatch.setattr(WhisperSpeechEncoder, "lora_targets", ("q_proj", "v_proj"))
    assert targets(LoraOptions(rank=1, alpha=1)) == {"q_proj", "v_proj"}
    assert targets(LoraOptions(rank=1, alpha=1, targets=["fc1"])) == {"fc1"}


def test_what_is_no_speech_encoder_is_refused(base_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"'llama'.*hubert.*whisper"):
        load_encoder(base_models / "llama", "clip", torch.float32)


def test_a_clip_has_the_positions_of_the_released_code_but_for_those_that_it_loses_to_rounding() -> None:
    """The released code counts `int(samples / 480000 * 3000) // 2`; `docs/decisions.md` says how often that differs."""
    lengths = range(320, 480_001)
    more = [n for n in lengths if encoder_positions(n) != int(n / 480_000 * 3000) // 2]
    assert len(more) == 78
    assert all(encoder_positions(n) == int(n / 480_000 * 3000) // 2 + 1 for n in more)
