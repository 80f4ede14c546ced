"""Prompts as in the released code, and the token layout of a row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig

from llast.artifacts import write_json
from llast.errors import ConfigError, DataError
from llast.languages import PAIRS, split_pair
from llast.model.configuration import LlastConfig
from llast.model.processing import LlastProcessor
from llast.model.prompts import prompt

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


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


def llama_folder(folder: Path, **config: Any) -> Path:
    """Files of a tokenizer as the public TinyLlama and Llama 2 have them, with few words.

    The normaliser puts a word-start mark before each piece of text, those after a special token too.

    Args:
        folder: to write to.
        config: what `tokenizer_config.json` has besides.
    """
    special = ["<unk>", "<s>", "</s>"]
    words = [
        "[INST]",
        "[/INST]",
        "<|user|>",
        "<|assistant|>",
        *SENTENCE.replace("▁", "").split()[1:-1],
        "transcribe",
    ]
    # Each word after a mark too, so that it becomes a token without the word-start mark as well.
    text = [f"{mark}{word}" for word in words for mark in ("", "(", '"') for _ in range(9)] + [".", "."]
    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokens = special + [f"<0x{byte:02X}>" for byte in range(256)]
    learner.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1000, special_tokens=tokens))
    file = json.loads(learner.to_str())
    file["pre_tokenizer"] = None
    file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] in special]
    marks = [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]
    file["normalizer"] = {"type": "Sequence", "normalizers": marks}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    spaces = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    file["decoder"] = {
        "type": "Sequence",
        "decoders": [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}, strip],
    }
    folder.mkdir()
    write_json(folder / "tokenizer.json", file)
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    others = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "chat_template": TINYLLAMA,
    }
    write_json(folder / "tokenizer_config.json", named | others | config)
    LlamaConfig(vocab_size=len(file["model"]["vocab"])).save_pretrained(folder)
    return folder


# As the public TinyLlama-1.1B-Chat has it.
TINYLLAMA = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
SENTENCE = "▁ <0x0A> Please ▁translate ▁the ▁French ▁sentence ▁into ▁English ."
GOLDEN = {
    "llama2": ("<s> ▁[INST] ▁", f"{SENTENCE} ▁[/INST]"),
    "tinyllama": ("<s> ▁<|user|> <0x0A>", f"{SENTENCE} </s> ▁ <0x0A> <|assistant|> </s> ▁ <0x0A>"),
    "chat": ("▁<|user|> <0x0A>", f"{SENTENCE} </s> ▁ <0x0A> <|assistant|> <0x0A>"),
}
"""By template, the tokens before and after the audio, by hand: each piece has a word-start mark of its own."""


@pytest.mark.parametrize("legacy", [{}, {"legacy": False}, {"legacy": True}], ids=["absent", "false", "true"])
def test_a_prompt_has_the_tokens_of_tokenizer_json_whatever_stands_beside_it(
    tmp_path: Path, legacy: dict[str, bool]
) -> None:
    llm, exported = llama_folder(tmp_path / "llm", **legacy), tmp_path / "exported"
    for template, golden in GOLDEN.items():
        processor = LlastProcessor.from_llm(llm, template)
        processor.save_pretrained(exported)
        LlastConfig(template=template).save_pretrained(exported)
        for loaded in (processor, LlastProcessor.from_pretrained(exported)):
            pieces = loaded.prompt_ids("st", "fr", "en")
            named = tuple(" ".join(loaded.tokenizer.convert_ids_to_tokens(piece)) for piece in pieces)
            assert named == golden, template
            (target,) = loaded.target_ids(["the English sentence."])
            assert loaded.tokenizer.decode(target[:-1]) == "the English sentence."
            assert loaded.tokenizer.convert_ids_to_tokens(target)[::4] == ["▁the", "</s>"]
        plain, whole = AutoTokenizer.from_pretrained(exported), "<|user|>\n(</s>\n<|assistant|></s>\n"
        assert plain(whole)["input_ids"] == processor.tokenizer(whole)["input_ids"], (
            "for others than this package too"
        )


def test_special_tokens_that_only_a_class_knows(tmp_path: Path) -> None:
    """The public GPT-2 names no end of text in its files."""
    write_json(tmp_path / "tokenizer_config.json", {"model_max_length": 1024})
    write_json(tmp_path / "config.json", {"model_type": "gpt2"})
    words = Tokenizer(models.BPE({"a": 0, "b": 1, "<|endoftext|>": 2, "ab": 3}, [("a", "b")]))
    words.save(str(tmp_path / "tokenizer.json"))
    processor = LlastProcessor.from_llm(tmp_path, "llama2")
    assert (processor.bos, processor.target_ids(["ab"])) == ([2], [[3, 2]])


@pytest.mark.parametrize("broken", ["none", "cut off"])
def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path: Path, broken: str) -> None:
    folder = llama_folder(tmp_path / "llm")
    if broken == "none":
        (folder / "tokenizer.json").unlink()
    else:
        (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:999])
    with pytest.raises(DataError, match=rf"{folder} .*tokenizer\.json"):
        LlastProcessor.from_llm(folder, "llama2")


def chat_processor(base_models: Path, template: str | None) -> LlastProcessor:
    tokenizer = AutoTokenizer.from_pretrained(base_models / "llama")
    tokenizer.chat_template = template
    return LlastProcessor(tokenizer, "chat")


def test_other_llms_speak_their_own_chat_template(base_models: Path) -> None:
    processor = chat_processor(base_models, CHATML)
    before, after = processor.prompt_ids("asr", "ja", "ja")
    assert processor.tokenizer.decode(before).strip() == "<|im_start|>user"
    assert processor.tokenizer.decode(after).strip() == (
        "Please transcribe the Japanese sentence into Japanese.<|im_end|>\n<|im_start|>assistant"
    )
    assert processor.tokenizer.bos_token_id not in before, "a chat template writes the start mark itself"
    with_start = chat_processor(base_models, "{{ bos_token }}" + CHATML)
    assert with_start.prompt_ids("st", "fr", "en")[0].count(1) == 1


def test_a_chat_prompt_is_the_same_every_day_and_does_not_ask_for_reasoning(base_models: Path) -> None:
    dated = "{{ strftime_now('%d %b %Y') }} {% if enable_thinking %}think{% endif %}" + CHATML
    before, _ = chat_processor(base_models, dated).prompt_ids("st", "fr", "en")
    assert chat_processor(base_models, dated).tokenizer.decode(before).startswith("26 Jul 2024 <|im_start|>")


@pytest.mark.parametrize("template", [None, "{{ messages[0].content }}" * 2, "{% if", "{{ 1 + 'a' }}"])
def test_a_chat_template_that_is_of_no_use(base_models: Path, template: str | None) -> None:
    with pytest.raises(ConfigError):
        chat_processor(base_models, template)


def test_token_layout(base_models: Path) -> None:
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    tokenizer = processor.tokenizer
    before, after = processor.prompt_ids("st", "fr", "en")
    assert before[0] == tokenizer.bos_token_id == 1
    assert str(tokenizer.decode(before[1:])).strip() == "[INST]"
    assert tokenizer.bos_token_id not in after, "the piece after the audio has no second start mark"
    (target,) = processor.target_ids(["the red house"])
    assert target[-1] == processor.eos == 2
    assert str(tokenizer.decode(target[:-1])).strip() == "the red house"


def test_decoding_stops_at_the_end_mark(base_models: Path) -> None:
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    (target,) = processor.target_ids(["she reads"])
    ids = torch.tensor([[*target, 7, 7], [*target[:-1], 2, 2, 2]])
    assert processor.decode(ids) == ["she reads", "she reads"]


def test_the_processor_makes_what_generate_takes_and_refuses_what_it_would_misread(base_models: Path) -> None:
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    inputs = processor([np.zeros(16_000), torch.zeros(8_000)], "fr", ["en", "de"])
    assert inputs["samples"].shape == (2, 16_000)
    assert inputs["positions"].tolist() == [50, 25]
    assert inputs["after"][1].tolist() == processor.prompt_ids("st", "fr", "de")[1]
    assert processor(np.zeros(640), "fr", "fr", task="asr")["positions"].tolist() == [2]
    for clip in (np.zeros(100, np.int16), np.zeros((1, 2, 100))):
        with pytest.raises(ValueError, match="float"):
            processor(clip, "fr", "en")
    with pytest.raises(ValueError, match=r"16000 .*44100"):
        processor(np.zeros(100), "fr", "en", sampling_rate=44_100)
