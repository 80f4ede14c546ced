"""The demo's base models, stand-ins for `openai/whisper-large-v2` and TinyLlama, made from the demo's own grammar.

They see sentences of the grammar's train split only. The committed ones lie in `llast/demo/base_models/`;
`python -m tools.demo_bases --output DIR` makes them anew, in half an hour on one core. Runs on different processors
agree in quality, not in every bit.

The two are made for each other, which real base models are not: same tokens, and an encoder that learned to tell them
by the language model's own embeddings. So a few hundred steps of training can join them on a laptop.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast, WhisperFeatureExtractor

from llast.artifacts import write_json
from llast.demo import grammar
from llast.demo.grammar import LANGUAGES, render, sample_meanings
from llast.demo.meanings import Meaning
from llast.languages import SPLITS
from tools.demo_bases.speech import N_MELS, SpeechTraining, speech_metrics, train_speech_model
from tools.demo_bases.text import TextTraining, text_metrics, train_text_model, train_tokenizer

logger = logging.getLogger(__name__)

RECORD = "pretraining.json"


@dataclass(frozen=True)
class Pretraining:
    """How both base models are made."""

    meanings: int = 20_000
    dev_meanings: int = 100
    text: TextTraining = field(default_factory=TextTraining)
    speech: SpeechTraining = field(default_factory=SpeechTraining)


def build_base_models(output: Path, seed: int = 1, options: Pretraining | None = None) -> None:
    """Train the base models and write `whisper/` and `llama/` in Hugging Face format, float16, with their record.

    Raises:
        ConfigError: the speech synthesizer is not installed.
    """
    options = options or Pretraining()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        meanings = sample_meanings("train", options.meanings, seed)
        dev = sample_meanings("dev", options.dev_meanings, seed)
        record = provenance(meanings, seed)
        texts = [render(meaning, lang) for meaning in meanings for lang in LANGUAGES]
        tokenizer = train_tokenizer(texts, options.text.vocabulary)
        llama = train_text_model(tokenizer, meanings, options.text, seed)
        scores = {"bleu_greedy": text_metrics(llama, tokenizer, dev)}
        write_model(
            output / "llama", llama, tokenizer, {**record, "options": asdict(options.text), "dev": scores}
        )
        embedding = llama.model.embed_tokens.weight.detach().float()
        whisper = train_speech_model(tokenizer, meanings, embedding, options.speech, seed)
        rates = {"cer_percent_greedy": speech_metrics(whisper, tokenizer, dev)}
        WhisperFeatureExtractor(feature_size=N_MELS).save_pretrained(output / "whisper")
        write_model(
            output / "whisper",
            whisper,
            tokenizer,
            {**record, "options": asdict(options.speech), "dev": rates},
        )
    finally:
        torch.set_num_threads(threads)


def provenance(meanings: Sequence[Meaning], seed: int) -> dict[str, Any]:
    """What a base model was made from."""
    return {
        "command": f"python -m tools.demo_bases --output DIR --seed {seed}",
        "seed": seed,
        "grammar": grammar_fingerprint(),
        "meanings": len(meanings),
        "sentences": len(training_sentences(meanings)),
        "sentences_sha256": sentences_digest(meanings),
    }


def training_sentences(meanings: Sequence[Meaning]) -> list[str]:
    """All sentences that the base models see, in every language, sorted."""
    return sorted({render(meaning, lang) for meaning in meanings for lang in LANGUAGES})


def sentences_digest(meanings: Sequence[Meaning]) -> str:
    """SHA-256 over the training sentences, a line each."""
    return hashlib.sha256("\n".join(training_sentences(meanings)).encode()).hexdigest()


def grammar_fingerprint() -> str:
    """A hash that changes with the grammar's words, sentences or splits; the base models have to follow."""
    sentences = [
        render(meaning, lang)
        for split in SPLITS
        for meaning in sample_meanings(split, 500, seed=0)
        for lang in LANGUAGES
    ]
    return hashlib.sha256("\n".join([str(grammar.VERSION), *sentences]).encode()).hexdigest()[:16]


def write_model(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, record: dict[str, Any]
) -> None:
    """Write a model as float16 with its tokenizer, and its record last."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # written for its owner only
    tokenizer.save_pretrained(folder)
    write_json(folder / RECORD, {**record, "parameters": parameters})
    logger.info("wrote %s: %s", folder, record["dev"])
