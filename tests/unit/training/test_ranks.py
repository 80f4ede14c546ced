"""Steps of real ranks: gloo processes through DeepSpeed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from llast.artifacts.corpus import MixSummary
from llast.config.deepspeed import OWNED, OffloadOptions, ZeroOptions
from llast.config.steps import TrainSpec
from llast.mixture.rows import open_rows, write_rows
from llast.model import weights
from llast.model.lora import load_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.dev import all_examples
from llast.training.run_folder import RunFolder
from tests.training_ranks import engine_settings, first_step, on_ranks, tiny_spec, train_and_stop, write_spec

pytestmark = pytest.mark.slow

Rows = tuple[Path, list[Path]]
STAGE_3 = {"zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0}}


def spec(**training: Any) -> TrainSpec:
    return tiny_spec(dropout=0.0, **training)


@pytest.mark.parametrize("rows_per_update", [13, 3])
def test_the_gradient_does_not_depend_on_the_ranks(
    base_models: Path, training_rows: Rows, tmp_path: Path, rows_per_update: int
) -> None:
    """13 rows cannot be shared out evenly; 3 rows leave a rank of four without a clip."""
    write_spec(
        tmp_path,
        spec(rows_per_update=rows_per_update, tokens_per_micro_batch=180),
        base_models,
        training_rows,
    )
    alone, *others = [on_ranks(ranks, first_step, tmp_path) for ranks in (1, 2, 4)]
    assert 0 in [size for rank in others[1] for size in rank["micro_batches"]] or rows_per_update == 13
    for ranks in others:
        assert len({len(rank["micro_batches"]) for rank in ranks}) == 1
        for rank in ranks:
            assert rank["loss"] == pytest.approx(alone[0]["loss"], rel=1e-6)
            assert rank["norm"] == pytest.approx(alone[0]["norm"], rel=1e-5)
            for name, gradient in rank["gradients"].items():
                expected = alone[0]["gradients"][name]
                np.testing.assert_allclose(gradient, expected, atol=1e-7, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("deepspeed", [{"zero_optimization": {"stage": 2}}, STAGE_3], ids=["zero2", "zero3"])
def test_a_step_is_adamw_on_the_clipped_gradient(
    base_models: Path, training_rows: Rows, tmp_path: Path, deepspeed: dict[str, Any]
) -> None:
    options = spec(clip_norm=0.05, weight_decay=0.1, learning_rate=1e-2, deepspeed=deepspeed)
    write_spec(tmp_path, options, base_models, training_rows)
    result = on_ranks(2, first_step, tmp_path)[1]
    gradients = {name: torch.from_numpy(value) for name, value in result["gradients"].items()}
    norm = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm()
    assert result["norm"] == pytest.approx(float(norm), rel=1e-5)
    assert norm > 0.05, "the gradient is to be clipped"
    for name, gradient in gradients.items():
        weight = torch.nn.Parameter(torch.from_numpy(result["before"][name]))
        weight.grad = gradient * 0.05 / norm
        torch.optim.AdamW([weight], lr=1e-2, betas=(0.9, 0.999), weight_decay=0.1).step()
        np.testing.assert_allclose(result["after"][name], weight.detach(), atol=1e-4, err_msg=name)


def test_options_of_the_engine_pass_through(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    zero = {"stage": 1, "reduce_bucket_size": 12_345}
    deepspeed = {"zero_optimization": zero, "communication_data_type": "bf16"}
    write_spec(tmp_path, spec(deepspeed=deepspeed, clip_norm=0.5), base_models, training_rows)
    (found,) = on_ranks(1, engine_settings, tmp_path)
    assert found == {
        "stage": 1,
        "reduce_bucket_size": 12_345,
        "gradient_clipping": 0.5,
        "communication": "torch.bfloat16",
    }


def test_keys_of_the_engine_are_deepspeeds_own() -> None:
    from deepspeed.runtime import constants
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadParamConfig

    fields = DeepSpeedZeroConfig.model_fields
    known = {*fields, *(field.alias for field in fields.values())}
    assert set(ZeroOptions.model_fields) - known == set()
    assert set(OffloadOptions.model_fields) - set(DeepSpeedZeroOffloadParamConfig.model_fields) == set()
    stated = {value for value in vars(constants).values() if isinstance(value, str)}
    assert {"train_batch_size", "gradient_accumulation_steps", "optimizer", "scheduler"} <= stated & set(
        OWNED
    )


def test_the_loss_on_dev_is_that_of_the_model_at_that_step(
    base_models: Path, training_rows: Rows, tmp_path: Path
) -> None:
    options = tiny_spec(dropout=0.1, max_steps=4, dev_every=3, checkpoints=4)
    write_spec(tmp_path, options, base_models, training_rows)
    assert on_ranks(2, train_and_stop, tmp_path) == [True, True]
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    measured = {record["step"]: record["dev_loss"] for record in records if "dev_loss" in record}
    assert list(measured) == [3, 4], "every third step, and the last"
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    rows = TrainingRows(*training_rows, processor, 4, "dev")
    for step, loss in measured.items():
        model = LlastForConditionalGeneration.from_bases(
            base_models / "whisper", base_models / "llama", "clip", 4, "llama2", torch.float32
        )
        model = load_adapters(model, tmp_path / f"checkpoints/step-{step:06d}/adapter").eval()
        with torch.no_grad():
            total = model(**rows.batch(all_examples(rows))).loss
        assert loss == pytest.approx(float(total) / rows.target_tokens(all_examples(rows)), rel=1e-4)


def train_whatever_the_weights(run_folder: Path) -> bool:
    """As if they had become what they are after they were loaded."""
    weights.not_finite = lambda tensors: []
    return train_and_stop(run_folder)


def test_a_loss_that_is_not_a_number_names_the_clip(
    base_models: Path, training_rows: Rows, tmp_path: Path
) -> None:
    """One clip's text has a token whose embedding is broken; whichever rank has it, all say so."""
    bases = tmp_path / "bases"
    shutil.copytree(base_models, bases)
    token = AutoTokenizer.from_pretrained(bases / "llama").convert_tokens_to_ids("<0x7A>")
    tensors = load_file(bases / "llama/model.safetensors")
    tensors["model.embed_tokens.weight"][token] = torch.nan
    save_file(tensors, bases / "llama/model.safetensors", {"format": "pt"})
    mix = tmp_path / "mix/summary.json"
    rows = open_rows(training_rows[0]).to_pylist()
    broken = next(row for row in rows if row["clip"] == "clip09")
    broken["text"] = "z"
    write_rows(mix, pa.Table.from_pylist(rows, schema=open_rows(training_rows[0]).schema))
    summary = MixSummary.read(training_rows[0])
    summary.model_copy(update={"details": summary.details.model_copy(update={"dev_rows": 0})}).write(mix)
    options = spec(rows_per_update=40, tokens_per_micro_batch=1, save_every=1)
    write_spec(tmp_path / "run", options, bases, (mix, training_rows[1]))
    errors = on_ranks(2, train_whatever_the_weights, tmp_path / "run")
    assert errors[0] == errors[1]
    assert errors[0].startswith("TrainingDiverged: ")
    assert "step 1: loss nan" in errors[0]
    assert re.findall(r"clip\d+", errors[0]) == ["clip09"]
    assert RunFolder(tmp_path / "run").complete_steps() == []


def test_a_loss_that_explodes_stops_the_run(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    """A limit just below the largest loss of some updates stops at that update, before it is saved."""
    single = {"rows_per_update": 1, "max_steps": 6, "learning_rate": 1e-6, "save_every": 1}
    write_spec(tmp_path / "free", spec(**single), base_models, training_rows)
    assert on_ranks(2, train_and_stop, tmp_path / "free") == [True, True]
    lines = (tmp_path / "free/metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    worst = losses.index(max(losses))
    assert worst > 0, "take another seed: the first loss is what the others are compared with"
    limit = (losses[worst] - 1e-4) / losses[0]
    write_spec(tmp_path / "run", spec(**single, loss_limit=limit), base_models, training_rows)
    errors = on_ranks(2, train_and_stop, tmp_path / "run")
    assert errors[0] == errors[1]
    assert errors[0].startswith("TrainingDiverged: ")
    assert f"step {worst + 1}: " in errors[0]
    assert "training.loss_limit" in errors[0]
    assert errors[0].split(": ")[-1].count("clip") == 1, "the update is one clip"
    assert RunFolder(tmp_path / "run").complete_steps()[-1:] == [worst], "what went wrong is not saved"
    assert on_ranks(2, train_and_stop, tmp_path / "run") == errors, "the first loss is known after a resume"
    write_spec(tmp_path / "run", spec(**single, loss_limit=limit + 1), base_models, training_rows)
    assert on_ranks(2, train_and_stop, tmp_path / "run") == [True, True], "another limit holds from here on"
    assert [record.loss for record in RunFolder(tmp_path / "run").records()] == losses
