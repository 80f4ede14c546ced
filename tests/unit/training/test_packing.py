"""An LLM that cannot take a clip's rows in one sequence is found out when it is loaded, and trains without."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, Lfm2Config, Lfm2ForCausalLM

from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.packing import check_packing
from llast.training.sampler import Example
from tests.training_ranks import first_step, on_ranks, tiny_spec, write_spec

Rows = tuple[Path, list[Path]]


def bloom(vocabulary: int) -> BloomForCausalLM:
    """Takes no mask for each pair of positions: it makes its positions from a mask of tokens."""
    return BloomForCausalLM(BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=vocabulary))


def lfm2(vocabulary: int) -> Lfm2ForCausalLM:
    """Its convolutions carry on from token to token, whatever the mask says."""
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 4, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]}
    return Lfm2ForCausalLM(Lfm2Config(**shape, vocab_size=vocabulary, initializer_range=0.5))


def bases_with(make: Any, base_models: Path, folder: Path) -> Path:
    shutil.copytree(base_models, folder)
    for file in ("model.safetensors", "config.json"):
        (folder / "llama" / file).unlink()
    torch.manual_seed(0)
    vocabulary = json.loads((base_models / "llama/config.json").read_text())["vocab_size"]
    make(vocabulary).save_pretrained(folder / "llama")
    return folder


def load(bases: Path) -> LlastForConditionalGeneration:
    torch.manual_seed(1)  # as the spec: the adaptor is random
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", "clip", 4, "llama2", torch.float32
    )


def rows_of(bases: Path, training_rows: Rows) -> TrainingRows:
    return TrainingRows(*training_rows, LlastProcessor.from_llm(bases / "llama", "llama2"), 4)


def test_a_llama_packs(base_models: Path, training_rows: Rows) -> None:
    model = load(base_models).train()
    found = check_packing(model, rows_of(base_models, training_rows))
    assert (found.packed, found.reason) == (True, "")
    assert model.training
    assert model.packs_rows


@pytest.mark.parametrize("make", [bloom, lfm2])
def test_an_llm_that_differs_is_found_out(
    base_models: Path, training_rows: Rows, tmp_path: Path, make: Any
) -> None:
    bases = bases_with(make, base_models, tmp_path / "bases")
    found = check_packing(load(bases), rows_of(bases, training_rows))
    assert not found.packed
    assert found.reason


def test_clips_of_one_row_each_tell_it_too(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    """They share sequences."""
    bases = bases_with(bloom, base_models, tmp_path / "bases")
    rows = rows_of(bases, training_rows)
    rows.clip_of_row = np.arange(len(rows), dtype=np.int32)
    assert not check_packing(load(bases), rows).packed
    assert check_packing(load(base_models), rows).packed


@pytest.mark.slow
def test_it_trains_with_a_sequence_per_row(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    bases = bases_with(bloom, base_models, tmp_path / "bases")
    write_spec(tmp_path / "run", tiny_spec(rows_per_update=40), bases, training_rows)
    (result,) = on_ranks(1, first_step, tmp_path / "run")
    written = json.loads((tmp_path / "run/packing.json").read_text())
    assert not written["packed"]
    assert written["reason"]
    model, rows = load(bases), rows_of(bases, training_rows)
    assert result["micro_batches"] == [len(rows)]
    total = 0.0
    for row in range(len(rows)):
        batch = rows.batch([Example(int(rows.clip_of_row[row]), (row,))])
        with torch.no_grad():
            speech = model.embed_audio(batch["samples"], batch["positions"])
            embeddings = model.llm.get_input_embeddings()(batch["input_ids"])
            embeddings[0, batch["speech_at"]] = speech[0]
            logits = model.llm(inputs_embeds=embeddings).logits
        total += float(
            torch.nn.functional.cross_entropy(logits[0, batch["labels_at"]], batch["labels"], reduction="sum")
        )
    examples = [Example(int(rows.clip_of_row[row]), (row,)) for row in range(len(rows))]
    assert result["loss"] == pytest.approx(total / rows.target_tokens(examples), rel=1e-5)
