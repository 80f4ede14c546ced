"""Our training step and one that behaves as the released code does, with the same weights and rows.

Run by itself, it takes steps of one side and prints their peak memory, so that each side has a process of its own:
`python benchmarks/training/sides.py SIDE --shape SHAPE --device DEVICE --rows ROWS`.
"""

import argparse
import resource
import sys
import tempfile
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[1]))

from flops import flops, flops_of_blocks
from training.model import SHAPES, build
from training.released import ReleasedStep, micro_batches
from training.rows import paper_rows

from llast.model.checkpointing import checkpoint_activations
from llast.model.lora import trainable_parameters
from llast.model.lora_linear import fuse
from llast.training import sampler

SIDES = ("released", "30s", "clip", "30s rows", "clip rows")
"""The released step, and ours with both windows of the encoder; `rows`: a sequence per row, not one per clip."""


class Sides:
    """One update of each side, ready to be run again and again.

    Audio is decoded and batches are laid out once, by `prepare`, for both sides do it beside the training step.
    Both take AdamW and clip gradients.

    Args:
        shape: name in `SHAPES`.
        device: `cpu` (float32) or `cuda` (bf16).
        rows: rows of the update.
        budget: most LLM positions of one of our micro-batches.
        folder: for the rows' files.
        recompute: whether ours computes activations again, as it does where memory asks; the released step always does.
    """

    def __init__(
        self, shape: str, device: str, rows: int, budget: int, folder: Path, recompute: bool = False
    ) -> None:
        self._recompute = recompute
        self._shape, self.device = SHAPES[shape], torch.device(device)
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        self._model: Any = build(self._shape, "30s", self.device, dtype)
        self.rows = paper_rows(folder, rows, self._shape.vocabulary, stack=1)
        (self.update,) = sampler.UpdateSampler(self.rows.clip_of_row, rows, seed=0).epoch(0)
        self.positions = sum(map(self.rows.length, self.update))
        self.target_tokens = self.rows.target_tokens(self.update)
        self._budget = budget
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    @cached_property
    def _released(self) -> ReleasedStep:
        return ReleasedStep(self._model, self._shape)

    @cached_property
    def _released_batches(self) -> list[dict[str, torch.Tensor]]:
        order = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(0)).tolist()
        return micro_batches(self.rows, order, self._released.llast.config.encoder_config.num_mel_bins)

    @cached_property
    def _by_clip(self) -> list[dict[str, torch.Tensor]]:
        return self._batches(self.update)

    @cached_property
    def _by_row(self) -> list[dict[str, torch.Tensor]]:
        return self._batches(
            [sampler.Example(example.clip, (row,)) for example in self.update for row in example.rows]
        )

    def _batches(self, examples: list[sampler.Example]) -> list[dict[str, torch.Tensor]]:
        lengths = [self.rows.length(example) for example in examples]
        together = examples is self.update
        divided = sampler.micro_batches(examples, lengths, 1, self._budget, padded=not together)[0]
        return [self.rows.batch(part, together) for part in divided]

    def prepare(self, side: str) -> None:
        """Make what a side needs before its first step."""
        _ = (self._released, self._released_batches) if side == "released" else self._batches_of(side)

    def _batches_of(self, side: str) -> list[dict[str, torch.Tensor]]:
        return self._by_row if side.endswith("rows") else self._by_clip

    def step(self, side: str) -> float:
        """An optimiser step over all rows; returns the loss: the mean over target tokens, for `released` that over
        micro-batches."""
        model: nn.Module = self._released if side == "released" else self._model
        self._switch(side)
        optimizer = self._optimizers.setdefault(
            side, torch.optim.AdamW(trainable_parameters(model), lr=1e-5, fused=True)
        )
        total = torch.zeros((), device=self.device)
        if side == "released":
            for batch in self._released_batches:
                loss = model(**self._placed(batch)) / len(self._released_batches)
                loss.backward()
                total += loss.detach()
        else:
            for batch in self._batches_of(side):
                loss = model(**self._placed(batch)).loss / self.target_tokens
                loss.backward()
                total += loss.detach()
        nn.utils.clip_grad_norm_(trainable_parameters(model), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(total)

    def flops(self, side: str) -> tuple[int, int]:
        """FLOPs of the matrix products that a step of ours executes, and those of them that are done a second time."""

        def ahead() -> None:
            with torch.no_grad():
                for batch in self._batches_of(side):
                    self._model(**self._placed(batch))

        executed = flops(lambda: self.step(side))
        return executed, flops_of_blocks(ahead) if self._recompute else 0

    def kernel_share(self, side: str) -> float:
        """Share of a step's time inside torch's operators, on a GPU inside kernels; the rest is Python and waiting."""
        gpu = self.device.type == "cuda"
        with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * gpu) as profiled:
            started = time.perf_counter()
            self.step(side)
            seconds = time.perf_counter() - started
        if gpu:  # an operator's time on the device is that of its kernels, which are listed once more by themselves
            kernels = [
                e
                for e in profiled.key_averages()
                if e.device_type == DeviceType.CUDA and not e.is_user_annotation
            ]
            return sum(kernel.self_device_time_total for kernel in kernels) / 1e6 / seconds
        operators = [found for found in profiled.key_averages() if found.key.startswith("aten::")]
        return sum(operator.self_cpu_time_total for operator in operators) / 1e6 / seconds

    def _switch(self, side: str) -> None:
        """Window, layers of LoRA and checkpointing as they are in each side."""
        fuse(self._model, side != "released")
        llast = self._model.base_model.model
        llast.config.window = "30s" if side == "released" else side.split()[0]
        for part in (llast.encoder, llast.llm):
            if side == "released":
                part.activation_checkpointing_enable({"use_reentrant": False})
            elif self._recompute:
                checkpoint_activations(part)
            else:
                part.activation_checkpointing_disable()

    def _placed(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        dtype = next(self._model.parameters()).dtype
        return {
            name: tensor.to(self.device, dtype if name == "mel" else None) for name, tensor in batch.items()
        }


def main() -> None:
    """Two steps of one side: peak memory in MiB, of the GPU or else of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=SIDES[:3])
    parser.add_argument("--shape", choices=list(SHAPES), required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # All rows at once: as many rows are held as the other side holds.
        sides = Sides(arguments.shape, arguments.device, arguments.rows, 1_000_000, Path(folder), True)
        sides.prepare(arguments.side)
        if arguments.device == "cuda":
            torch.cuda.reset_peak_memory_stats()  # the model was built in float32
        for _ in range(2):  # the optimiser's state comes with the first
            sides.step(arguments.side)
    if arguments.device == "cuda":
        print(torch.cuda.max_memory_allocated() / 2**20)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
