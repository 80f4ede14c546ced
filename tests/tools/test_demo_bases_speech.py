import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from llast.demo.grammar import LANGUAGES, render, sample_meanings
from llast.model.encoders.whisper import encode_mels
from tools.demo_bases.speech import (
    BLANK,
    Aligner,
    Clip,
    decoder_logits,
    edit_distance,
    features,
    record,
    transcribe,
)
from tools.demo_bases.text import train_tokenizer

MEANINGS = sample_meanings("train", 100, 1)
TOKENIZER = train_tokenizer([render(meaning, lang) for meaning in MEANINGS for lang in LANGUAGES], 700)


@pytest.fixture(scope="module")
def model() -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(TOKENIZER),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_target_positions=20,
        pad_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    whisper = WhisperForConditionalGeneration(config).eval()
    whisper.set_attn_implementation("eager")
    for parameter in whisper.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return whisper


def clip(frames: int) -> Clip:
    return Clip(torch.randn(80, frames).half(), [5, 6], "en", "")


@torch.no_grad()
def test_decoder_is_transformers_decoder_and_never_sees_padding(
    model: WhisperForConditionalGeneration,
) -> None:
    clips = [clip(60), clip(100)]
    ids = torch.tensor([[1, 300, 301], [1, 302, 303]])
    mel, frames = features(clips)
    hidden = encode_mels(model.model.encoder, mel, frames)
    inside = torch.arange(hidden.shape[1]) < frames[:, None] // 2
    ours = decoder_logits(model, ids, hidden, inside)
    for row in range(2):
        own = hidden[row : row + 1, : frames[row] // 2]
        theirs = model.proj_out(
            model.model.decoder(ids[row : row + 1], encoder_hidden_states=own).last_hidden_state
        )
        torch.testing.assert_close(ours[row : row + 1], theirs, atol=2e-4, rtol=1e-4)


def test_aligner_takes_the_token_whose_embedding_is_nearest() -> None:
    embedding = torch.randn(10, 4)
    aligner = Aligner(4, embedding)
    torch.nn.init.eye_(aligner.map.weight)
    scores = aligner(3 * torch.nn.functional.normalize(embedding)[None])
    assert torch.allclose(scores[0, 5, 5], 3 * embedding[5].norm())
    assert scores[..., BLANK].abs().max() == 0
    assert not aligner.classes.requires_grad


def test_both_ways_to_record_sound_alike() -> None:
    for wheel in ("espeakng_loader", "lameenc"):
        pytest.importorskip(wheel, reason="the demo's speech needs pip install 'llast[demo]'")
    direct, delivered = (record(TOKENIZER, MEANINGS[0], "fr", 4, as_mp3) for as_mp3 in (False, True))
    assert direct.mel.shape == delivered.mel.shape
    assert direct.tokens == delivered.tokens
    voiced = direct.mel > 0.5
    assert (direct.mel - delivered.mel).abs()[voiced].mean() < 0.05
    assert direct.mel.shape[1] % 2 == 0


def test_transcripts_stop_at_the_longest_allowed(model: WhisperForConditionalGeneration) -> None:
    texts = transcribe(model, TOKENIZER, [clip(40), clip(50)], longest=6)
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("", "ab", 2), ("猫", "狗", 1)],
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == distance
