"""LoRA as one step of automatic differentiation: what peft's own layer gives, with every gradient."""

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.utils.checkpoint import checkpoint

from llast.model.lora_linear import LoraLinear, fuse


def adapted(bias: bool, dropout: float, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=6, target_modules=["0"], lora_dropout=dropout)
    model: Any = inject_adapter_in_model(config, nn.Sequential(nn.Linear(12, 20, bias=bias), nn.GELU()))
    nn.init.normal_(model[0].lora_B["default"].weight)
    return model.to(dtype).train()


def gradients(model: Any, x: torch.Tensor, checkpointed: bool = False) -> list[torch.Tensor]:
    """Output and the gradients of the input and of all that is trained; the same dropout each time."""
    torch.manual_seed(1)
    x = x.clone().requires_grad_()
    output = checkpoint(model, x, use_reentrant=False) if checkpointed else model(x)
    (output**2).sum().backward()
    trained = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
    assert len(trained) == 2
    return [output, x.grad, *trained]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_same_output_and_gradients_as_peft(bias: bool, dropout: float, checkpointed: bool) -> None:
    model = adapted(bias, dropout, torch.float64)
    ours = copy.deepcopy(model)
    fuse(ours)
    assert type(ours[0]) is LoraLinear
    x = torch.randn(3, 5, 12, dtype=torch.float64)
    for found, expected in zip(gradients(ours, x, checkpointed), gradients(model, x), strict=True):
        torch.testing.assert_close(found, expected)


def test_gradients_are_those_of_the_function() -> None:
    model = adapted(True, 0.0, torch.float64)
    fuse(model)
    assert torch.autograd.gradcheck(
        model[0], (torch.randn(2, 3, 12, dtype=torch.float64, requires_grad=True),)
    )


def test_half_the_precision() -> None:
    model = adapted(True, 0.0, torch.bfloat16)
    ours = copy.deepcopy(model)
    fuse(ours)
    x = torch.randn(3, 5, 12, dtype=torch.bfloat16)
    for found, expected in zip(gradients(ours, x), gradients(model, x), strict=True):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found, expected, rtol=5e-2, atol=5e-2)


def test_an_input_that_needs_no_gradient() -> None:
    model = adapted(True, 0.0)
    fuse(model)
    model(torch.randn(2, 12)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)


def test_merged_and_switched_off_adapters_are_peft_s_business() -> None:
    model = adapted(True, 0.0).eval()
    fuse(model)
    x = torch.randn(2, 12)
    with_adapter = model(x)
    model[0].merge()
    torch.testing.assert_close(model(x), with_adapter)
    model[0].unmerge()
    model[0].enable_adapters(False)
    torch.testing.assert_close(model(x), nn.functional.gelu(model[0].base_layer(x)))
    assert not torch.allclose(model(x), with_adapter)


def test_layers_of_other_kinds_keep_their_own() -> None:
    config = LoraConfig(r=4, target_modules=["0"], use_dora=True)
    model: Any = inject_adapter_in_model(config, nn.Sequential(nn.Linear(12, 20)))
    fuse(model)
    assert type(model[0]) is not LoraLinear
