"""What turns clips into texts: one module a kind of experiment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from llast.artifacts.run import Run
from llast.config.experiment import DecodingOptions
from llast.evaluation.systems import cascade, llast, whisper
from llast.evaluation.systems.base import System, SystemInputs

LOADERS: dict[str, Callable[[Any, SystemInputs], System]] = {
    "train": llast.load_trained,
    "pretrained": llast.load_pretrained,
    "whisper": whisper.WhisperSystem,
    "cascade": cascade.CascadeSystem,
}
"""By the kind of the experiment: what loads its system from its options, as `run.json` has them, and the rest."""


def load_system(run: Run, adapter: Path | None, bases: dict[str, Path], decoding: DecodingOptions) -> System:
    """The system of a run, on a GPU if there is one.

    Args:
        run: its `run.json`.
        adapter: folder with the adapters of a trained checkpoint; None: a run that is not trained.
        bases: folders of its models, by name.
        decoding: beams, longest hypothesis, memory budget.

    Raises:
        ConfigError: a model that is not what its name says.
    """
    transformers.utils.logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return LOADERS[run.kind](run.options, SystemInputs(adapter, bases, decoding, device))
