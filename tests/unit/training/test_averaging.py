"""The mean of checkpoints: of what they do to the weights, not of the factors that they keep."""

from pathlib import Path

import pytest
import torch

from llast.artifacts.run import RunCheckpoint
from llast.config.experiment import LoraOptions
from llast.model.lora import add_adapters, load_adapters, save_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration
from llast.training.averaging import evaluated_adapter
from tests.runs import trained_run


def load(bases: Path) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", "clip", 4, "llama2", torch.float32
    )


@pytest.mark.parametrize("lora", [LoraOptions(rank=4, alpha=8), None], ids=["lora", "adaptor alone"])
def test_weights_are_the_mean_of_the_last_checkpoints(
    base_models: Path, tmp_path: Path, lora: LoraOptions | None
) -> None:
    encoder = LoraOptions(rank=2, alpha=3) if lora else None
    checkpoints = []
    for number in range(1, 5):
        adapted = add_adapters(load(base_models), encoder, lora)
        generator = torch.Generator().manual_seed(number)
        for parameter in trainable_parameters(adapted):
            parameter.data += 0.5 * torch.randn(parameter.shape, generator=generator)
        save_adapters(adapted, tmp_path / f"step-{number}/adapter")
        checkpoints.append(RunCheckpoint(checkpoint=number, step=number, folder=f"step-{number}"))
    run = tmp_path / "run.json"
    trained_run(checkpoints=checkpoints).write(run)

    def weights(adapter: Path | None) -> dict[str, torch.Tensor]:
        assert adapter is not None
        return load_adapters(load(base_models), adapter).state_dict()

    each = [weights(tmp_path / f"step-{number}/adapter") for number in range(1, 5)]
    for checkpoint, expected in ((4, each[1:]), (2, each[:2])):
        found = weights(evaluated_adapter(run, checkpoint, 3, tmp_path / f"mean{checkpoint}"))
        for name, tensor in found.items():
            mean = torch.stack([state[name] for state in expected]).mean(dim=0)
            torch.testing.assert_close(tensor, mean, atol=1e-5, rtol=1e-5)
    assert evaluated_adapter(run, 1, 3, tmp_path / "x") == tmp_path / "step-1/adapter"
    assert evaluated_adapter(run, 4, 1, tmp_path / "x") == tmp_path / "step-4/adapter"
