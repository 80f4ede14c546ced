"""Parameters and FLOPs that are estimated are those of the real model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from llast.config.experiment import ExperimentConfig, LoraOptions
from llast.config.load import load_trained
from llast.model.lora import add_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.planning.cost import LlastCost, shape_of
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

ROOT = Path(__file__).parents[3]
LORA = LoraOptions(rank=4, alpha=8)


def cost_of(experiment: ExperimentConfig) -> LlastCost:
    encoder, llm = shape_of(experiment.encoder.base), shape_of(experiment.llm.base)
    assert encoder
    assert llm
    return LlastCost(experiment, encoder, llm)


@pytest.mark.parametrize(
    ("name", "lora", "adaptor"),
    [("llast-2b", 403.7 + 94.4, 11.0), ("llast-8b", 1279.3 + 94.4, 38.8), ("llast-14b", 2002.8 + 94.4, 59.0)],
)
def test_the_papers_models_have_the_adapters_that_peft_gives_the_released_ones(
    name: str, lora: float, adaptor: float
) -> None:
    """Counted with peft on meta tensors of the released configurations, in millions; the decoder's left out."""
    cost = cost_of(load_trained(name, ROOT / "config"))
    assert cost.trained_parameters / 1e6 == pytest.approx(lora + adaptor, abs=0.2)
    assert cost.adaptor_parameters / 1e6 == pytest.approx(adaptor, abs=0.1)


@pytest.mark.parametrize("lora", [LORA, None])
@pytest.mark.parametrize("window", ["30s", "clip"])
def test_parameters_and_flops_of_a_training_step_are_those_of_the_model(
    base_models: Path, training_rows: tuple[Path, list[Path]], window: str, lora: LoraOptions | None
) -> None:
    experiment = ExperimentConfig.model_validate(
        {
            "encoder": {"base": f"{base_models}/whisper", "window": window, "lora": lora},
            "llm": {"base": f"{base_models}/llama", "lora": lora},
            "mixture": {"pairs": ["fr_en"]},
        }
    )
    cost = cost_of(experiment)
    model = LlastForConditionalGeneration.from_bases(
        base_models / "whisper", base_models / "llama", window, 1, "llama2", torch.float32
    ).requires_grad_(False)
    model.encoder.set_attn_implementation("eager")  # the counter does not see into sdpa on CPU
    model.llm.set_attn_implementation("eager")
    adapted = add_adapters(model, lora, lora)
    assert cost.trained_parameters == sum(parameter.numel() for parameter in trainable_parameters(adapted))

    rows = TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), stack=1)
    examples = [Example(clip, tuple(np.flatnonzero(rows.clip_of_row == clip).tolist())) for clip in (1, 2, 3)]
    batches = [rows.batch([example]) for example in examples]
    with FlopCounterMode(display=False) as counter:
        for batch in batches:
            adapted(**batch).loss.backward()
    estimated = 0.0
    for example, batch in zip(examples, batches, strict=True):
        seconds = float(batch["positions"].sum()) / 50
        targets = rows.target_tokens([example]) / len(example.rows)
        others = (rows.length(example) - int(batch["speech_at"].numel())) / len(example.rows) - targets
        estimated += cost.training_flops(seconds, len(example.rows), others, targets)
    assert estimated == pytest.approx(counter.get_total_flops(), rel=0.2)
