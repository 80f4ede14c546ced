"""Weights on disk: all there, finite, and those of the model that they are loaded into."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from llast.errors import DataError, UserError

UNUSED = ("masked_spec_embed",)
"""Weights that some checkpoints lack and nothing here reads: time masking is off."""


@contextmanager
def reading(folder: Path | str) -> Iterator[None]:
    """What goes wrong inside with a model's files is an error that names their folder.

    Raises:
        DataError: they are missing, cut off, or of a kind that transformers does not know.
    """
    try:
        yield
    except (UserError, torch.OutOfMemoryError, MemoryError, PermissionError):
        raise
    except Exception as error:  # of transformers, of safetensors, of torch's unpickler
        raise DataError(
            f"the model in {folder} cannot be loaded: {first_line(error)} Are its files whole, and of a model that "
            "this version of transformers knows? Copy or fetch them again, or name another."
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, with a full stop; its type where it has none."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def load_whole(from_pretrained: Callable[..., Any], folder: Path | str, *args: Any, **options: Any) -> Any:
    """What `from_pretrained` of transformers gives, which fills in at random what a folder lacks.

    Args:
        from_pretrained: of the model's class.
        folder: of the model.
        args: of that method.
        options: likewise.

    Raises:
        DataError: a weight is missing or not finite, or the files cannot be read.
    """
    with reading(folder):
        model, found = from_pretrained(folder, *args, output_loading_info=True, **options)
        missing = sorted(name for name in found["missing_keys"] if not name.endswith(UNUSED))
        if missing:
            raise DataError(
                f"{folder} lacks weights: {_some(missing)}. Copy or fetch the model's files again."
            )
        if broken := not_finite(model.state_dict()):
            raise DataError(
                f"{folder} has weights that are not finite: {_some(broken)}. Copy or fetch the model's files again."
            )
    return model


def not_finite(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of tensors with an infinity or a NaN."""
    # Both survive a sum, which needs no second tensor as large as the first; 8 bits have no sum on a CPU.
    summed = {
        name: tensor.sum(dtype=torch.float32)
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and tensor.itemsize > 1 and not tensor.is_meta
    }
    return [name for name, total in summed.items() if not bool(total.isfinite())]


def misfits(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> list[str]:
    """Tensors that are missing, too many or of another shape than those of the model: a phrase for each."""
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    there = {name: tuple(tensor.shape) for name, tensor in found.items()}
    return [
        f"{name} is {there.get(name, 'missing')}, the model's is {shapes.get(name, 'not there')}"
        for name in sorted(shapes.keys() | there.keys())
        if shapes.get(name) != there.get(name)
    ]


def _some(names: Iterable[str]) -> str:
    first, *others = names
    return first + (f" and {len(others)} others" if others else "")
