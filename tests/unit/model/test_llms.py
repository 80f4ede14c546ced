"""Language models of many families: branches of a clip as separate rows, and the loss of their own forward pass."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from llast.config.experiment import LoraOptions
from llast.errors import ConfigError
from llast.model.layout import audio_layout
from llast.model.lora import add_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 400,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 400, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": SMALL,
    "phi3": SMALL,  # queries, keys and values in one layer
    "mistral": {**SMALL, "sliding_window": 8},
    "gemma2": {
        **SMALL,
        "sliding_window": 8,
    },  # every second layer slides; capped logits; eager attention only
    "gemma3_text": {**SMALL, "sliding_window": 8},  # embeddings that scale themselves
    "granite": {**SMALL, "logits_scaling": 4.0},
    "cohere": {**SMALL, "logit_scale": 0.25},
    "gpt2": GPT2,  # learned positions, Conv1D in place of Linear, dropout by default
}
BEFORE = [1, 4]
BRANCHES = [([5, 6, 7], [8, 9, 2]), ([5, 6], [10, 11, 12, 2])]
CLIP, POSITIONS = 0.1 * torch.randn(1, 9_600, generator=torch.Generator().manual_seed(0)), torch.tensor([30])


def build(bases: Path, folder: Path, family: str, config: dict[str, Any]) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **config)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bases / "llama" / name, folder)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", folder, "clip", 1, "llama2", torch.float32
    )


def laid_out(branches: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """One clip with these rows, as the model's forward pass takes it."""
    start = len(BEFORE) + 30
    ids, positions = BEFORE + [0] * 30, list(range(start))
    branch = [0] * start
    labels: list[int] = []
    labels_at: list[int] = []
    for number, (after, target) in enumerate(branches, start=1):
        labels_at += range(len(ids) + len(after) - 1, len(ids) + len(after) - 1 + len(target))
        labels += target
        ids += after + target
        positions += range(start, start + len(after) + len(target))
        branch += [number] * len(after + target)
    values = {"input_ids": ids, "position_ids": positions, "branch": branch, "clip": [0] * len(ids)}
    places = {"labels": labels, "labels_at": labels_at, "speech_at": list(range(len(BEFORE), start))}
    return (
        {name: torch.tensor([value]) for name, value in values.items()}
        | {name: torch.tensor(value) for name, value in places.items()}
        | audio_layout([30], 1, together=False)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_share_a_clip_have_the_loss_that_the_llm_itself_gives_each(
    base_models: Path, tmp_path: Path, family: str
) -> None:
    model = build(base_models, tmp_path, family, FAMILIES[family])
    adapted = add_adapters(model, None, LoraOptions(rank=4, alpha=8))
    generator = torch.Generator().manual_seed(1)
    for parameter in trainable_parameters(adapted):
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    adapted.train()  # a frozen base has no dropout
    embed = model.llm.get_input_embeddings()
    expected = 0.0
    with torch.no_grad():
        shared = adapted(samples=CLIP, positions=POSITIONS, **laid_out(BRANCHES)).loss
        speech = model.embed_audio(CLIP, POSITIONS)[0]
        for after, target in BRANCHES:
            sequence = torch.cat([embed(torch.tensor(BEFORE)), speech, embed(torch.tensor(after + target))])
            labels = torch.tensor([-100] * (len(sequence) - len(target)) + target)
            expected += float(model.llm(inputs_embeds=sequence[None], labels=labels[None]).loss) * len(target)
    assert float(shared) == pytest.approx(expected, rel=1e-5)


def test_a_target_that_is_not_there_names_those_that_are(base_models: Path, tmp_path: Path) -> None:
    model = build(base_models, tmp_path, "gpt2", GPT2)
    with pytest.raises(ConfigError, match=r"llm\.lora\.targets: .*q_proj.*c_attn, c_fc, c_proj"):
        add_adapters(model, None, LoraOptions(rank=1, alpha=1, targets=["q_proj", "c_fc"]))
