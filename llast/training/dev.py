"""The loss on rows of the dev sets, measured now and then while a run trains."""

from typing import Any

import torch
import torch.distributed

from llast.training.dataset import TrainingRows
from llast.training.loader import split
from llast.training.sampler import Example


def all_examples(rows: TrainingRows) -> list[Example]:
    """Every clip with all its rows."""
    examples: dict[int, list[int]] = {}
    for row, clip in enumerate(rows.clip_of_row.tolist()):
        examples.setdefault(clip, []).append(row)
    return [Example(clip, tuple(own)) for clip, own in examples.items()]


@torch.no_grad()
def dev_loss(
    engine: Any, rows: TrainingRows, budget: int, packed: bool, alike: bool, device: torch.device
) -> float:
    """Mean cross-entropy per target token over all rows; every rank calls this and takes its part.

    Args:
        engine: the DeepSpeed engine; dropout is off meanwhile.
        rows: rows of the dev sets.
        budget: most LLM positions of a micro-batch.
        packed: whether rows share a sequence.
        alike: whether the encoder pads clips.
        device: of this rank.
    """
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    examples = all_examples(rows)
    engine.eval()
    total = torch.zeros(1, dtype=torch.float64, device=device)
    for batch in split(rows, examples, rank, ranks, budget, packed, alike):
        tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.tensors.items()}
        total += engine(**tensors).loss.double() * float(batch.counts)
    engine.train()
    torch.distributed.all_reduce(total)
    return float(total) / rows.target_tokens(examples)
