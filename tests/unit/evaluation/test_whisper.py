"""Whisper as it comes: the prompts of its tasks, batches, a clip encoded once for all its requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GenerationMixin, WhisperForConditionalGeneration

from llast.config.evaluation_only import WhisperExperiment
from llast.config.experiment import DecodingOptions
from llast.errors import ConfigError, DataError
from llast.evaluation.systems.base import SystemInputs
from llast.evaluation.systems.whisper import WhisperSystem
from llast.model.decoding import Clip, Request
from llast.model.features import log_mel_30s

DEMO = Path(__file__).parents[3] / "llast/demo/base_models/whisper"
TOKENS = ["<|fr|>", "<|zh|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|notimestamps|>"]


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's Whisper, taught the tokens of tasks and languages, though not what they mean."""
    folder = tmp_path_factory.mktemp("whisper")
    tokenizer = AutoTokenizer.from_pretrained(DEMO)
    tokenizer.add_tokens(TOKENS, special_tokens=True)
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration.from_pretrained(DEMO, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def whisper(folder: Path, beams: int = 3, tokens: int = 4_000, window: str = "30s") -> WhisperSystem:
    decoding = DecodingOptions(num_beams=beams, max_new_tokens=12, batch_tokens=tokens)
    options = {"kind": "whisper", "whisper": {"base": "./whisper", "window": window}, "precision": "float32"}
    inputs = SystemInputs(None, {"whisper": folder}, decoding, torch.device("cpu"))
    return WhisperSystem(WhisperExperiment.model_validate(options), inputs)


def clips(requests: Sequence[tuple[Request, ...]]) -> list[Clip]:
    random = np.random.default_rng(0)
    made = []
    for number, of_clip in enumerate(requests):
        samples = (0.1 * random.standard_normal(9_000 + 5_000 * number)).astype(np.float32)
        made.append(Clip(len(samples) / 16_000, lambda samples=samples: samples, of_clip))  # type: ignore[misc]
    return made


def test_batches_give_what_one_clip_alone_gives(multilingual: Path) -> None:
    both = (Request("st", "fr", "en"), Request("asr", "fr", "fr"))
    made = clips([both, both, (Request("st", "zh-CN", "en"),), (Request("asr", "en", "en"),)])
    system = whisper(multilingual)
    encoded: list[int] = []
    system.model.model.encoder.layers[0].register_forward_hook(
        lambda _, inputs, output: encoded.append(len(inputs[0]))
    )
    texts = {
        index: text
        for indices, of_clips in system(made)
        for index, text in zip(indices, of_clips, strict=True)
    }
    assert sum(encoded) == 4, "each clip is encoded once"
    assert len(encoded) > 1, "in several batches"

    word = system.tokenizer.convert_tokens_to_ids
    tasks = {"st": "<|translate|>", "asr": "<|transcribe|>"}
    codes = {"fr": "<|fr|>", "zh-CN": "<|zh|>", "en": "<|en|>"}
    for index, clip in enumerate(made):
        mel = log_mel_30s(torch.from_numpy(clip.samples())[None], 80)
        for request, text in zip(clip.requests, texts[index], strict=True):
            prompt = [1, word(codes[request.source]), word(tasks[request.task]), word("<|notimestamps|>")]
            ids: Any = GenerationMixin.generate(
                system.model, mel, decoder_input_ids=torch.tensor([prompt]), num_beams=3, max_new_tokens=12
            )
            assert text == system.tokenizer.batch_decode(ids, skip_special_tokens=True)[0].strip()


def test_clips_of_their_own_length_are_decoded_together(multilingual: Path) -> None:
    """`window: clip`: what is behind a clip in its batch is not heard."""
    both = (Request("st", "fr", "en"), Request("asr", "fr", "fr"))
    made = clips([both, (Request("asr", "fr", "fr"),), both])
    ((indices, together),) = whisper(multilingual, window="clip")(made)
    assert together == [
        next(whisper(multilingual, window="clip")([made[index]])).texts[0] for index in indices
    ]


def test_a_whisper_without_the_language_or_without_tasks(multilingual: Path) -> None:
    with pytest.raises(DataError, match=r"<\|de\|>"):
        list(whisper(multilingual)(clips([(Request("asr", "de", "de"),)])))
    ((_, ((text,),)),) = whisper(DEMO, window="clip")(clips([(Request("st", "de", "en"),)]))
    assert isinstance(text, str), "the demo's has neither and takes the clip as it is"
    with pytest.raises(ConfigError, match=r"'llama'.*whisper\.base"):
        whisper(DEMO.parent / "llama")
