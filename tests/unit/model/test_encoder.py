"""Features and encoder against transformers' own, and independence of a clip from its batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    HubertConfig,
    LlamaConfig,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from llast.errors import ConfigError
from llast.model.encoder import check_encoder, encode_clips, load_encoder
from llast.model.features import encoder_positions, log_mel_30s


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [(0.1 * random.standard_normal(length)).astype(np.float32) for length in (31_000, 9_321, 640)]


def padded(clips: list[np.ndarray]) -> torch.Tensor:
    samples = torch.zeros(len(clips), max(map(len, clips)))
    for row, clip in enumerate(clips):
        samples[row, : len(clip)] = torch.from_numpy(clip)
    return samples


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
    torch.testing.assert_close(log_mel_30s(padded(clips), n_mels), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_30s_window_equals_whisper(
    base_models: Path, clips: list[np.ndarray], n_mels: int, tmp_path: Path
) -> None:
    config = WhisperConfig.from_pretrained(base_models / "whisper", num_mel_bins=n_mels)
    WhisperModel(config).save_pretrained(tmp_path)
    whisper = WhisperModel.from_pretrained(tmp_path).eval()
    encoder: Any = load_encoder(tmp_path, torch.float32).eval()
    features = WhisperFeatureExtractor(feature_size=n_mels)(
        clips, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    positions = torch.tensor([encoder_positions(len(clip)) for clip in clips])
    with torch.no_grad():
        expected = whisper.encoder(features).last_hidden_state
        output = encode_clips(encoder, padded(clips), positions, "30s")
    assert output.shape == (3, 31_000 // 320, 32)
    torch.testing.assert_close(output, expected[:, : output.shape[1]], atol=1e-4, rtol=0)


@pytest.mark.parametrize("window", ["30s", "clip"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_clip_is_the_same_alone_and_in_a_batch(
    base_models: Path, clips: list[np.ndarray], window: str, attention: str
) -> None:
    encoder: Any = load_encoder(base_models / "whisper", torch.float32).eval()
    encoder.set_attn_implementation(attention)
    positions = torch.tensor([encoder_positions(len(clip)) for clip in clips])
    with torch.no_grad():
        together = encode_clips(encoder, padded(clips), positions, window)
        for row, clip in enumerate(clips):
            alone = encode_clips(encoder, torch.from_numpy(clip)[None], positions[row : row + 1], window)
            torch.testing.assert_close(together[row, : positions[row]], alone[0], atol=1e-5, rtol=0)


def test_clip_window_with_30_s_of_sound_is_the_30_s_window(base_models: Path) -> None:
    """On a full window both ways see the same frames, so they must agree."""
    sound = (0.1 * np.random.default_rng(2).standard_normal(480_000)).astype(np.float32)
    sound[-400:] = 0  # the 30 s window reflects the end, the clip window pads it with zeros
    encoder = load_encoder(base_models / "whisper", torch.float32).eval()
    samples, positions = torch.from_numpy(sound)[None], torch.tensor([encoder_positions(len(sound))])
    with torch.no_grad():
        clip = encode_clips(encoder, samples, positions, "clip")
        window = encode_clips(encoder, samples, positions, "30s")
    torch.testing.assert_close(clip, window, atol=1e-4, rtol=0)


SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


@pytest.mark.parametrize("kind", [HubertConfig, Wav2Vec2Config, WavLMConfig])
@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("normalize", [False, True])
def test_hubert_like_encoders(
    clips: list[np.ndarray], tmp_path: Path, kind: Any, norm: str, normalize: bool
) -> None:
    """As transformers' own on the clip alone; in a batch the same; in training mode the same: its base is frozen."""
    torch.manual_seed(0)
    config = kind(**SMALL, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    AutoModel.from_config(config).save_pretrained(tmp_path)
    plain = AutoModel.from_pretrained(tmp_path).eval()
    encoder = load_encoder(tmp_path, torch.float32).train()
    clips = [*clips, clips[0][:100]]
    positions = torch.tensor([encoder_positions(len(clip)) for clip in clips])
    with torch.no_grad():
        together = encode_clips(encoder, padded(clips), positions, "clip", normalize)
        for row, clip in enumerate(clips):
            count = int(positions[row])
            wave = np.pad(clip, (0, 400))[: 320 * count + 80]
            if normalize:
                wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
            expected = plain(torch.from_numpy(wave)[None]).last_hidden_state[0]
            assert expected.shape == (count, 32)
            torch.testing.assert_close(together[row, :count], expected, atol=1e-4, rtol=0)


def test_an_encoder_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="type 'llama', not a speech encoder"):
        check_encoder(LlamaConfig(), "llama/")
    slow = HubertConfig(conv_stride=(5, 2, 2, 2, 2, 2, 4))
    with pytest.raises(
        ConfigError, match="a position every 640 samples that sees 400; LLaST needs 320 and 400"
    ):
        check_encoder(slow, "slow/")
