"""Shared-prefix packing: a clip with all its rows is one sequence, in which each row is a branch after the audio.

Most causal LMs of transformers give a row the same loss there as alone: they take the attention mask and the positions
that they are given, and logits are the output layer's. Some scale or cap logits, ignore masks or carry a state from
token to token. They are found out when a model is loaded, and train with a sequence per row.
"""

import numpy as np
import torch

from llast.artifacts.training import Packing
from llast.errors import DataError
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.weights import first_line
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

CLIPS = 2
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2}
"""Largest difference of the mean loss per target token that is rounding."""


def check_packing(model: LlastForConditionalGeneration, rows: TrainingRows) -> Packing:
    """Compare the loss of a few clips with all their rows in one sequence and with a sequence per row.

    The sequences of one row go through the LLM's own forward pass, mask and logits. Leaves the model as it was.

    Args:
        model: on its device, without adapters or with fresh ones.
        rows: where the clips are taken from.

    Raises:
        DataError: the LLM cannot even take separate rows.
    """
    numbers, starts, counts = np.unique(rows.clip_of_row, return_index=True, return_counts=True)
    several = np.flatnonzero(counts > 1)[:CLIPS]
    if not len(several):  # clips share a sequence, too
        several = np.arange(len(numbers))[:CLIPS]
    packed = [
        Example(int(numbers[clip]), tuple(range(starts[clip], starts[clip] + counts[clip])))
        for clip in several
    ]
    separate = [Example(example.clip, (row,)) for example in packed for row in example.rows]
    training, before = model.training, model.packs_rows
    model.eval()
    try:
        model.packs_rows = False
        alone = _loss(model, rows, separate)
        model.packs_rows = True
        beside = _loss(model, rows, packed, together=True)
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        if not model.packs_rows:
            llm = model.llm.config
            raise DataError(
                f"{llm._name_or_path} is of model_type '{llm.model_type}', which cannot be trained here "
                f"({type(error).__name__}: {first_line(error).rstrip('.')}). Choose another LLM, see docs/models.md."
            ) from error
        return Packing(
            packed=False, reason=f"it fails under a mask of branches ({type(error).__name__}: {error})"
        )
    finally:
        model.packs_rows = before
        model.train(training)
    difference = abs(alone - beside)
    if difference <= TOLERANCE[model.dtype]:  # false for a difference that is not a number
        return Packing(packed=True)
    reason = f"a loss of {alone:.4f} a token for separate rows becomes {beside:.4f} for packed ones"
    return Packing(packed=False, reason=reason)


@torch.no_grad()
def _loss(
    model: LlastForConditionalGeneration,
    rows: TrainingRows,
    examples: list[Example],
    together: bool = False,
) -> float:
    device = next(model.adaptor.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in rows.batch(examples, together).items()}
    return float(model(**batch).loss) / rows.target_tokens(examples)
