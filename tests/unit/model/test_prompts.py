"""Prompts as in the released code, and the token layout of a row."""

from pathlib import Path

import torch

from llast.languages import PAIRS, split_pair
from llast.model.processing import LlastProcessor
from llast.model.prompts import prompt


def test_wording_and_templates_of_the_released_code() -> None:
    st = prompt("st", "fr", "en", "llama2")
    assert st.before == "[INST] "
    assert st.after == "\nPlease translate the French sentence into English. [/INST]"
    asr = prompt("asr", "zh-CN", "zh-CN", "tinyllama")
    assert asr.before == "<|user|>\n"
    assert asr.after == "\nPlease transcribe the Chinese sentence into Chinese.</s>\n<|assistant|></s>\n"


def test_every_pair_has_a_prompt_of_its_own() -> None:
    texts = {prompt("st", *split_pair(pair), "llama2").after for pair in PAIRS}
    assert len(texts) == 36
    assert "\nPlease translate the English sentence into Swedish. [/INST]" in texts


def test_token_layout(base_models: Path) -> None:
    processor = LlastProcessor.from_pretrained(base_models / "llama", "llama2")
    tokenizer = processor.tokenizer
    before, after = processor.prompt_ids("st", "fr", "en")
    assert before[0] == tokenizer.bos_token_id == 1
    assert str(tokenizer.decode(before[1:])).strip() == "[INST]"
    assert tokenizer.bos_token_id not in after, "the piece after the audio has no second start mark"
    (target,) = processor.target_ids(["the red house"])
    assert target[-1] == processor.eos == 2
    assert str(tokenizer.decode(target[:-1])).strip() == "the red house"


def test_decoding_stops_at_the_end_mark(base_models: Path) -> None:
    processor = LlastProcessor.from_pretrained(base_models / "llama", "llama2")
    (target,) = processor.target_ids(["she reads"])
    ids = torch.tensor([[*target, 7, 7], [*target[:-1], 2, 2, 2]])
    assert processor.decode(ids) == ["she reads", "she reads"]
