"""Which families of causal LMs can be trained and decoded from, and that the others are named when they are loaded."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from llast.config.evaluation_only import CascadeExperiment
from llast.config.experiment import DecodingOptions
from llast.errors import DataError
from llast.evaluation.systems.base import SystemInputs
from llast.evaluation.systems.cascade import CascadeSystem
from llast.model.decoding import Request, decode
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.prefix import require_readable
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.packing import check_packing

DEMO = Path(__file__).parents[3] / "llast/demo/base_models"
TOKENS = {"vocab_size": 400, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
USUAL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    **TOKENS,
}
USUAL |= {"num_key_value_heads": 2, "head_dim": 8, "initializer_range": 0.1}
OLD = {"n_embd": 32, "n_layer": 2, "n_head": 4, **TOKENS}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 4}
STATES = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, **TOKENS}

GOOD: dict[str, dict[str, Any]] = {
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, **TOKENS},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **TOKENS},
    "gpt_neox": USUAL,
    "gptj": {**OLD, "rotary_dim": 8, "n_positions": 200},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, **TOKENS},
    "opt": {"hidden_size": 32, "ffn_dim": 64, "word_embed_proj_dim": 32, "num_hidden_layers": 2, **TOKENS}
    | {"num_attention_heads": 4},
    "mixtral": {**USUAL, "num_local_experts": 2, "num_experts_per_tok": 1},
    # a state beside keys and values
    "bamba": {**USUAL, **MAMBA, "attn_layer_indices": [1]},
    "lfm2": {**USUAL, "layer_types": ["conv", "full_attention"], "initializer_range": 0.5},
}
REFUSED: dict[str, dict[str, Any]] = {
    "mamba": STATES,
    "mamba2": {**STATES, "head_dim": 8, "num_heads": 8, "n_groups": 1},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32, **TOKENS},
    "recurrent_gemma": {**USUAL, "lru_width": 32},
    "minimax": {**USUAL, "layer_types": ["linear_attention", "full_attention"], "block_size": 8},
    "openai-gpt": OLD,
    "ctrl": {**OLD, "dff": 64},
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, **TOKENS},
}


def load(bases: Path, folder: Path, family: str, config: dict[str, Any]) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **config)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bases / "llama" / name, folder)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", folder, "clip", 4, "llama2", torch.float32
    ).eval()


@pytest.mark.parametrize("family", GOOD)
def test_those_that_can(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path: Path, family: str
) -> None:
    model, processor = (
        load(base_models, tmp_path, family, GOOD[family]),
        LlastProcessor.from_llm(tmp_path, "llama2"),
    )
    check_packing(model, TrainingRows(*training_rows, processor, 4))
    random = np.random.default_rng(0)
    samples = [0.1 * random.standard_normal(count).astype(np.float32) for count in (9_000, 16_000)]
    requests = [[Request("st", "fr", "en"), Request("st", "fr", "zh-CN")], [Request("asr", "en", "en")]]
    options = DecodingOptions(num_beams=1, max_new_tokens=4)
    together = decode(model, processor, samples, requests, options)
    alone = [
        decode(model, processor, [clip], [of], options)[0] for clip, of in zip(samples, requests, strict=True)
    ]
    assert together == alone
    assert any(text for texts in together for text in texts)


@pytest.mark.parametrize("family", REFUSED)
def test_those_that_cannot_are_named(base_models: Path, tmp_path: Path, family: str) -> None:
    model = load(base_models, tmp_path, family, REFUSED[family])
    with pytest.raises(DataError) as error:
        require_readable(model.llm)
    assert str(tmp_path) in str(error.value)
    assert f"'{family}'" in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3


def test_a_cascade_names_them_too(base_models: Path, tmp_path: Path) -> None:
    """With a state that takes padding for text, a sentence would depend on those beside it."""
    load(base_models, tmp_path, "minimax", REFUSED["minimax"])
    options = {
        "kind": "cascade",
        "whisper": {"base": "./whisper", "window": "clip"},
        "llm": {"base": "./llm", "template": "llama2"},
        "precision": "float32",
    }
    bases = {"whisper": DEMO / "whisper", "llm": tmp_path}
    inputs = SystemInputs(None, bases, DecodingOptions(), torch.device("cpu"))
    with pytest.raises(DataError, match=r"'minimax'"):
        CascadeSystem(CascadeExperiment.model_validate(options), inputs)
