"""The committed base models: small, honest about what they saw, and able to do their work."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from llast.demo.grammar import LANGUAGES, render, sample_meanings, split_of
from tools.demo_bases.build import (
    RECORD,
    Pretraining,
    build_base_models,
    grammar_fingerprint,
    sentences_digest,
    training_sentences,
)
from tools.demo_bases.speech import SpeechTraining, edit_distance, record, transcribe
from tools.demo_bases.text import TASKS, TextTraining, encode, translate_texts

BASE_MODELS = Path(__file__).parents[2] / "llast/demo/base_models"
MODELS = ("whisper", "llama")


def read_record(model: str) -> Any:
    return json.loads((BASE_MODELS / model / RECORD).read_text())


def load_tokenizer(model: str) -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(BASE_MODELS / model)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


def test_all_files_together_stay_below_5_mb() -> None:
    assert sum(path.stat().st_size for path in BASE_MODELS.rglob("*") if path.is_file()) <= 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_they_were_trained_on_this_grammar_and_on_train_sentences_only(model: str) -> None:
    made = read_record(model)
    assert made["grammar"] == grammar_fingerprint(), (
        "the grammar has changed: run `python -m tools.demo_bases` again"
    )
    meanings = sample_meanings("train", made["meanings"], made["seed"])
    assert made["sentences_sha256"] == sentences_digest(meanings)
    assert {split_of(meaning) for meaning in meanings} == {"train"}
    seen = set(training_sentences(meanings))
    assert len(seen) == made["sentences"]
    for split in ("dev", "test"):
        for meaning in sample_meanings(split, 3000, seed=1):
            assert not seen & {render(meaning, lang) for lang in LANGUAGES}


def test_fingerprint_and_digest_follow_the_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    meanings = sample_meanings("train", 20, 1)
    assert sentences_digest(meanings) == sentences_digest(meanings[::-1])
    assert sentences_digest(meanings) != sentences_digest(meanings[:-1])
    before = grammar_fingerprint()
    monkeypatch.setattr("llast.demo.grammar.DEV_PER_TEN", 2)
    assert grammar_fingerprint() != before


def test_whisper_transcribes_unseen_sentences_in_every_language() -> None:
    tokenizer = load_tokenizer("whisper")
    model = WhisperForConditionalGeneration.from_pretrained(
        BASE_MODELS / "whisper", dtype=torch.float32
    ).eval()
    assert WhisperFeatureExtractor.from_pretrained(BASE_MODELS / "whisper").feature_size == 80
    for lang in LANGUAGES:
        meanings = sample_meanings("dev", 5, seed=7)
        clips = [
            record(tokenizer, meaning, lang, number * 11, as_mp3=True)
            for number, meaning in enumerate(meanings)
        ]
        heard = transcribe(model, tokenizer, clips)
        errors = sum(edit_distance(text, clip.text) for text, clip in zip(heard, clips, strict=True))
        assert errors / sum(len(clip.text) for clip in clips) < 0.2, (lang, heard)
        assert transcribe(model, tokenizer, clips[:1]) == heard[:1], (
            "a clip's transcript depends on its batch"
        )


def test_llama_translates_and_copies_unseen_sentences() -> None:
    tokenizer = load_tokenizer("llama")
    model = AutoModelForCausalLM.from_pretrained(BASE_MODELS / "llama", dtype=torch.float32).eval()
    meanings = sample_meanings("dev", 8, seed=7)
    for task, source, target in TASKS:
        texts = [render(meaning, source) for meaning in meanings]
        references = [render(meaning, target) for meaning in meanings]
        right = sum(
            output == reference
            for output, reference in zip(
                translate_texts(model, tokenizer, texts, task, source, target), references, strict=True
            )
        )
        assert right >= 6, (task, source, target)


def test_tokenizer_is_llama_like_and_loses_nothing() -> None:
    tokenizer = load_tokenizer("llama")
    assert tokenizer.convert_tokens_to_ids(["<unk>", "<s>", "</s>"]) == [0, 1, 2]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    assert tokenizer.tokenize("red")[0].startswith("▁"), "the first word as those within a sentence"
    assert tokenizer("red")["input_ids"][0] == 1
    texts = [render(meaning, lang) for meaning in sample_meanings("test", 20, 1) for lang in LANGUAGES]
    for text in [*texts, "電車 łódź\n!"]:
        assert tokenizer.decode(encode(tokenizer, text)) == text


@pytest.mark.slow
def test_the_command_writes_loadable_models_with_their_record(tmp_path: Path) -> None:
    for wheel in ("espeakng_loader", "lameenc"):
        pytest.importorskip(wheel, reason="the demo's speech needs pip install 'llast[demo]'")
    tiny = Pretraining(
        meanings=60,
        dev_meanings=2,
        text=TextTraining(vocabulary=700, width=32, layers=1, steps=3, rows=4),
        speech=SpeechTraining(width=32, encoder_layers=1, decoder_layers=1, steps=3, clips=4, first_clips=8),
    )
    build_base_models(tmp_path, 5, tiny)
    for model in MODELS:
        made = json.loads((tmp_path / model / RECORD).read_text())
        assert (made["seed"], made["meanings"]) == (5, 60)
        assert made["sentences_sha256"] == sentences_digest(sample_meanings("train", 60, 5))
    WhisperForConditionalGeneration.from_pretrained(tmp_path / "whisper")
    AutoModelForCausalLM.from_pretrained(tmp_path / "llama")
