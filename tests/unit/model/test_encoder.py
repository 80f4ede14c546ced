"""Features and encoder against transformers' own, and independence of a clip from its batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from llast.model.encoder import encode_clips, load_encoder
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


@pytest.mark.parametrize("n_mels", [80, 128])
def test_mel_equals_the_feature_extractor(clips: list[np.ndarray], n_mels: int) -> None:
    extractor = WhisperFeatureExtractor(feature_size=n_mels)
    expected = extractor(clips, sampling_rate=16_000, return_tensors="pt").input_features
    torch.testing.assert_close(log_mel_30s(padded(clips), n_mels), expected, atol=1e-5, rtol=0)


def test_30s_window_equals_whisper(base_models: Path, clips: list[np.ndarray]) -> None:
    whisper = WhisperModel.from_pretrained(base_models / "whisper").eval()
    encoder = load_encoder(base_models / "whisper", torch.float32).eval()
    features = WhisperFeatureExtractor()(clips, sampling_rate=16_000, return_tensors="pt").input_features
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
    encoder = load_encoder(base_models / "whisper", torch.float32).eval()
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
    sound[-400:] = 0  # the extractor reflects the last window, ours pads it with zeros
    encoder = load_encoder(base_models / "whisper", torch.float32).eval()
    samples, positions = torch.from_numpy(sound)[None], torch.tensor([encoder_positions(len(sound))])
    with torch.no_grad():
        clip = encode_clips(encoder, samples, positions, "clip")
        window = encode_clips(encoder, samples, positions, "30s")
    torch.testing.assert_close(clip, window, atol=1e-4, rtol=0)
