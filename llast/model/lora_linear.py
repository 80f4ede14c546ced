"""A linear layer with LoRA as one step of automatic differentiation.

peft computes it as separate operations, each of which reads and writes a tensor as large as the layer's output: some
five times in a training step, which costs more than the arithmetic of the low rank. Here the products of the low rank
are added where the large ones have just been written.
"""

from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import nn
from torch.autograd.function import once_differentiable


class LoraLinear(Linear):
    """peft's layer with another forward pass; what it holds, and how it is saved and merged, is the same."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Transform (..., in) to (..., out)."""
        names = [name for name in self.active_adapters if name in self.lora_A]
        usual = len(names) == 1 and not args and not kwargs and not self.disable_adapters and not self.merged
        # ZeRO-3 has to see each layer called; a look at a weight would gather it.
        partitioned = hasattr(next(self.parameters()), "ds_id")
        if not usual or partitioned or torch.is_autocast_enabled(x.device.type):
            other: torch.Tensor = super().forward(x, *args, **kwargs)
            return other
        (name,) = names
        base, down, up = self.base_layer, self.lora_A[name].weight, self.lora_B[name].weight
        if x.dtype != down.dtype or base.weight.requires_grad:
            other = super().forward(x)
            return other
        dropped = self.lora_dropout[name](x)
        output: torch.Tensor = _LoraProduct.apply(
            x, None if dropped is x else dropped, base.weight, base.bias, down, up, self.scaling[name]
        )
        return output


class _LoraProduct(torch.autograd.Function):
    """x W' + b + scaling (dropped A') B', for a frozen W and b; without dropout, `dropped` is None."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        dropped: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        flat = (x if dropped is None else dropped).reshape(-1, x.shape[-1])
        low = flat @ down.t()
        output = nn.functional.linear(x, weight, bias)
        output.view(-1, output.shape[-1]).addmm_(low, up.t(), alpha=scaling)
        ctx.save_for_backward(flat, low, weight, down, up)
        ctx.scaling, ctx.same = scaling, dropped is None
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, low, weight, down, up = ctx.saved_tensors
        (output,) = gradients
        shape = (*output.shape[:-1], weight.shape[1])
        gradient = output.reshape(-1, output.shape[-1])
        # With beta 0, what is added is not read and only lends its shape: products that are scaled as they are made.
        scaled = {"beta": 0, "alpha": ctx.scaling}
        of_low = torch.addmm(low, gradient, up, **scaled)
        of_x = of_dropped = None
        if ctx.needs_input_grad[0]:
            of_x = gradient @ weight
            if ctx.same:
                of_x.addmm_(of_low, down)
            of_x = of_x.view(shape)
        if ctx.needs_input_grad[1] and not ctx.same:
            of_dropped = (of_low @ down).view(shape)
        of_down, of_up = of_low.t() @ flat, torch.addmm(up, gradient.t(), low, **scaled)
        return of_x, of_dropped, None, None, of_down, of_up, None


def fuse(model: nn.Module, fused: bool = True) -> None:
    """Give peft's linear layers of a model this forward pass, or (not `fused`) their own.

    Layers of other kinds are left alone: quantised ones, transposed ones, LoRA with a bias and its variants.
    """
    own, other = (Linear, LoraLinear) if fused else (LoraLinear, Linear)
    for module in model.modules():
        plain = type(module) is own and not module.lora_variant and not any(module.lora_bias.values())
        if plain and type(module.base_layer) is nn.Linear:
            module.__class__ = other
