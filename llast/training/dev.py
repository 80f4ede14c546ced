"""The loss on rows of the dev sets, measured now and then while a run trains."""

from typing import Any

import torch
import torch.distributed

from llast.training.batches import TrainingRows
from llast.training.loader import split
from llast.training.updates import Item


def all_items(rows: TrainingRows) -> list[Item]:
    """Every clip with all its rows."""
    items: dict[int, list[int]] = {}
    for row, clip in enumerate(rows.clip_of_row.tolist()):
        items.setdefault(clip, []).append(row)
    return [Item(clip, tuple(own)) for clip, own in items.items()]


@torch.no_grad()
def dev_loss(engine: Any, rows: TrainingRows, budget: int, shared: bool, device: torch.device) -> float:
    """Mean cross-entropy per target token over all rows; every rank calls this and takes its part.

    Args:
        engine: the DeepSpeed engine; dropout is off meanwhile.
        rows: rows of the dev sets.
        budget: most LLM positions of a micro-batch.
        shared: whether a clip's rows share a sequence.
        device: of this rank.
    """
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    items = all_items(rows)
    engine.eval()
    total = torch.zeros(1, dtype=torch.float64, device=device)
    for batch in split(rows, items, rank, ranks, budget, shared):
        tensors = {name: tensor.to(device) for name, tensor in batch.tensors.items()}
        total += engine(**tensors).loss.double() * float(batch.counts)
    engine.train()
    torch.distributed.all_reduce(total)
    return float(total) / rows.target_tokens(items)
