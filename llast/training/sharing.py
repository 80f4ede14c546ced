"""Does this LLM give a row the same loss in a branch beside others as alone?

Most causal LMs of transformers do: they take the attention mask and the positions that they are given, and logits are
the output layer's. Some scale or cap logits, ignore masks or carry a state from token to token. They are found out
when a model is loaded, and train with a sequence per row.
"""

from dataclasses import dataclass

import numpy as np
import torch

from llast.model.modeling import LlastForConditionalGeneration
from llast.training.batches import TrainingRows
from llast.training.updates import Item

CLIPS = 2
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2}
"""Largest difference of the mean loss per target token that is rounding."""


@dataclass(frozen=True)
class Sharing:
    """Whether clips are shared by their rows.

    Attributes:
        shared: whether one sequence holds a clip with all its rows.
        reason: why not, for the user; empty if so.
    """

    shared: bool
    reason: str = ""


def check_sharing(model: LlastForConditionalGeneration, rows: TrainingRows) -> Sharing:
    """Compare the loss of a few clips with all their rows in one sequence and with a sequence per row.

    The sequences of one row go through the LLM's own forward pass, mask and logits. Leaves the model as it was.

    Args:
        model: on its device, without adapters or with fresh ones.
        rows: where the clips are taken from.
    """
    numbers, starts, counts = np.unique(rows.clip_of_row, return_index=True, return_counts=True)
    several = np.flatnonzero(counts > 1)[:CLIPS]
    shared = [
        Item(int(numbers[one]), tuple(range(starts[one], starts[one] + counts[one]))) for one in several
    ]
    if not shared:
        return Sharing(True)
    separate = [Item(item.clip, (row,)) for item in shared for row in item.rows]
    training, before = model.training, model.shares_clips
    model.eval()
    try:
        model.shares_clips = False
        alone = _loss(model, rows, separate)
        model.shares_clips = True
        beside = _loss(model, rows, shared)
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        if not model.shares_clips:
            raise  # not even separate rows: nothing can be trained
        return Sharing(False, f"it fails under a mask of branches ({type(error).__name__}: {error})")
    finally:
        model.shares_clips = before
        model.train(training)
    difference = abs(alone - beside)
    if difference <= TOLERANCE[model.dtype]:  # false for a difference that is not a number
        return Sharing(True)
    return Sharing(
        False, f"a loss of {alone:.4f} a token for separate rows becomes {beside:.4f} for shared ones"
    )


@torch.no_grad()
def _loss(model: LlastForConditionalGeneration, rows: TrainingRows, items: list[Item]) -> float:
    device = next(model.adaptor.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in rows.batch(items).items()}
    return float(model(**batch).loss) / rows.target_tokens(items)
