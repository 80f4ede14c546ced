"""Prompts as in the released code, and the token layout of a row."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from llast.errors import ConfigError
from llast.languages import PAIRS, split_pair
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


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """Llama's tokenizer with few words: legacy SentencePiece, which puts a word-start mark before every text."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [
        "[INST]",
        "[/INST]",
        "<|user|>",
        "<|assistant|>",
        *"Please translate French sentence into".split(),
    ]
    words += ["transcribe", "English", "the"]
    # Each word after a mark too, so that it becomes a token without the word-start mark as well.
    text = [f"{mark}{word}" for word in words for mark in ("", "(", '"') for _ in range(9)] + [".", "."]
    bpe.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1000, special_tokens=special))
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


SENTENCE = "▁ <0x0A> Please ▁translate ▁the ▁French ▁sentence ▁into ▁English ."


@pytest.mark.parametrize(
    ("template", "before", "after"),
    [
        ("llama2", "<s> ▁[INST] ▁", f"{SENTENCE} ▁[/INST]"),
        (
            "tinyllama",
            "<s> ▁<|user|> <0x0A>",
            f"{SENTENCE} </s> ▁ <0x0A> <|assistant|> </s> ▁ <0x0A>",
        ),
    ],
)
def test_tokens_of_the_released_templates_written_out_by_hand(template: str, before: str, after: str) -> None:
    """Text before and after the audio is tokenised apart, so each piece starts with a word-start mark of its own."""
    tokenizer = llama_tokenizer()
    processor = LlastProcessor(tokenizer, template)
    pieces = processor.prompt_ids("st", "fr", "en")
    assert [" ".join(tokenizer.convert_ids_to_tokens(piece)) for piece in pieces] == [before, after]
    (target,) = processor.target_ids(["the English sentence."])
    assert tokenizer.convert_ids_to_tokens(target) == ["▁the", "▁English", "▁sentence", ".", "</s>"]


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


@pytest.mark.parametrize(("template"), [None, "{{ messages[0].content }}" * 2], ids=["none", "twice"])
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
