"""An encoder on raw samples trains on several ranks under ZeRO-3, whose ranks must call every module equally often."""

from pathlib import Path

import pytest
from transformers import HubertConfig, HubertModel

from llast.artifacts import read_json
from llast.config.steps import Machine, TrainSpec
from llast.launch.train import launch
from llast.release.trained import load

pytestmark = pytest.mark.slow


def test_two_ranks_with_unequal_clips_train_a_hubert(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    config = HubertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    encoder, run = tmp_path / "hubert", tmp_path / "seed1" / "train" / "run.json"
    HubertModel(config).save_pretrained(encoder)
    options = TrainSpec.model_validate(
        {
            "encoder": {"base": str(encoder), "window": "clip", "lora": {"rank": 4, "alpha": 8}},
            "adaptor": {"stack": 4},
            "llm": {"base": f"{base_models}/llama"},
            "mixture": {"pairs": ["fr_en"]},
            "training": {
                "max_steps": 2,
                "rows_per_update": 8,
                "precision": "float32",
                "gradient_checkpointing": True,
                "deepspeed": {"zero_optimization": {"stage": 3}},
            },
        }
    )
    launch(
        "hubert", 1, *training_rows, encoder, base_models / "llama", run, options, Machine(tasks_per_node=2)
    )
    assert read_json(run)["steps"] == 2
    model, _ = load(run)
    assert model.encoder.config.model_type == "hubert"
