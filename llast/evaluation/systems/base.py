"""What turns clips into texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from llast.config.experiment import DecodingOptions
from llast.model.decoding import Clip, DecodedBatch


class System(Protocol):
    """A trained or pretrained model, or several in a row, that decodes clips in batches of its own choice."""

    def __call__(self, clips: Sequence[Clip]) -> Iterator[DecodedBatch]:
        """Decode all clips; yields each batch as it is done.

        Raises:
            DataError: there is not memory enough for a single clip.
        """


@dataclass(frozen=True)
class SystemInputs:
    """What a system is loaded from, besides what its experiment says.

    Attributes:
        adapter: folder with the adapters of a trained checkpoint; None: nothing was trained.
        bases: folders of the models that the experiment is made of, by name.
        decoding: beams, longest hypothesis, memory budget.
        device: to decode on.
    """

    adapter: Path | None
    bases: dict[str, Path]
    decoding: DecodingOptions
    device: torch.device
