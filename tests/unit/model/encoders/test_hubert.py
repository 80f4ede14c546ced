"""HuBERT-like encoders against transformers' own on the clip alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, HubertConfig, Wav2Vec2Config, WavLMConfig

from llast.errors import ConfigError
from llast.model.encoders.base import load_encoder, speech_encoder
from llast.model.processing import pad_audio

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
def test_a_clip_is_as_transformers_own_reads_it(
    clips: list[np.ndarray], tmp_path: Path, kind: Any, norm: str, normalize: bool
) -> None:
    """In a batch the same as alone; in training mode the same: its base is frozen."""
    torch.manual_seed(0)
    config = kind(**SMALL, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    AutoModel.from_config(config).save_pretrained(tmp_path)
    plain = AutoModel.from_pretrained(tmp_path).eval()
    encoder = load_encoder(tmp_path, "clip", torch.float32).train()
    clips = [*clips, clips[0][:100]]
    samples, positions = pad_audio(clips)
    with torch.no_grad():
        together = speech_encoder(config, "").encode(encoder, samples, positions, "clip", normalize)
        for row, clip in enumerate(clips):
            count = int(positions[row])
            wave = np.pad(clip, (0, 400))[: 320 * count + 80]
            if normalize:
                wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
            expected = plain(torch.from_numpy(wave)[None]).last_hidden_state[0]
            assert expected.shape == (count, 32)
            torch.testing.assert_close(together[row, :count], expected, atol=1e-4, rtol=0)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"every 640 samples.*320"):
        speech_encoder(HubertConfig(conv_stride=(5, 2, 2, 2, 2, 2, 4)), "slow/")
    HubertConfig(**SMALL).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"encoder\.window '30s'"):
        load_encoder(tmp_path, "30s", torch.float32)


def test_whether_clips_are_normalised_is_said_beside_the_weights(tmp_path: Path) -> None:
    family = speech_encoder(HubertConfig(), "")
    assert not family.normalizes(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": true}')
    assert family.normalizes(tmp_path)
