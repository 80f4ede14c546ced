"""The presets on the meta device: their parameters without any weights."""

from pathlib import Path

import pytest
import torch

from llast.config.experiment import ExperimentConfig
from llast.config.load import load_experiment, load_trained
from llast.model.bases import base_config
from llast.model.configuration import LlastConfig
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.planning.cost import LlastCost, shape_of

CONFIG = Path(__file__).parents[3] / "config"
RELEASED = {
    # LoRA on the LLM, LoRA on the whole of Whisper, adaptor; counted with peft on meta tensors, in millions
    "llast-2b": (403.7, 230.7, 11.0),
    "llast-8b": (1279.3, 230.7, 38.8),
    "llast-14b": (2002.8, 230.7, 59.0),
}
DEAD = 136.3
"""LoRA on Whisper's decoder, in millions: the released code runs the decoder and throws its output away, so these never
get a gradient. The encoder half has none of them."""


def build(experiment: ExperimentConfig) -> torch.nn.Module:
    encoder, llm = base_config(experiment.encoder.base), base_config(experiment.llm.base)
    config = LlastConfig(encoder, llm, stack=experiment.adaptor.stack, template=experiment.llm.template)
    with torch.device("meta"):
        model = LlastForConditionalGeneration(config).requires_grad_(False)
        return add_adapters(model, experiment.encoder.lora, experiment.llm.lora)


def millions(model: torch.nn.Module, part: str, trained: bool = True) -> float:
    names = [(name, p.numel()) for name, p in model.named_parameters() if p.requires_grad == trained]
    return sum(count for name, count in names if f".{part}." in name) / 1e6


@pytest.mark.parametrize("name", RELEASED)
def test_the_papers_presets_train_what_the_released_code_trains_but_its_dead_adapters(name: str) -> None:
    llm, whisper, adaptor = RELEASED[name]
    model = build(load_trained(name, CONFIG))
    assert millions(model, "llm") == pytest.approx(llm, abs=0.05)
    assert millions(model, "encoder") == pytest.approx(whisper - DEAD, abs=0.1)
    assert millions(model, "adaptor") == pytest.approx(adaptor, abs=0.06)
    assert millions(model, "encoder", trained=False) == pytest.approx(637, abs=0.5), (
        "Whisper's encoder half only"
    )


@pytest.mark.parametrize("name", [*RELEASED, "mhubert-2b", "whisper-v3-qwen3-8b"])
def test_plans_count_with_the_parameters_of_the_model(name: str) -> None:
    experiment = load_trained(name, CONFIG)
    encoder, llm = shape_of(experiment.encoder.base), shape_of(experiment.llm.base)
    assert encoder
    assert llm
    trained = sum(p.numel() for p in build(experiment).parameters() if p.requires_grad)
    assert LlastCost(experiment, encoder, llm).trained_parameters == trained


def test_every_base_of_a_preset_is_known_and_pinned() -> None:
    for path in (CONFIG / "experiments").glob("*.yaml"):
        for base in load_experiment(path.stem, CONFIG).bases.values():
            assert base_config(base), base
            assert base.startswith("./") or len(base.partition("@")[2]) == 40, "a commit, not a branch"
