"""What turns clips into texts: a checkpoint of a training, or pretrained models that are only evaluated."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers

from llast.artifacts.run import Run
from llast.config.evaluation_only import CascadeExperiment, WhisperExperiment
from llast.config.experiment import DecodingOptions
from llast.config.steps import TrainSpec
from llast.errors import ConfigError
from llast.evaluation.cascade import Cascade
from llast.evaluation.whisper import Whisper
from llast.model.decoding import Clip, DecodedBatch, decode_batches
from llast.model.lora import load_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.release.trained import is_exported

System = Callable[[Sequence[Clip]], Iterator[DecodedBatch]]
"""Decodes clips in batches of its own choice; yields each batch as it is done."""


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
    one = run.options
    if isinstance(one, TrainSpec):
        assert adapter is not None
        return _trained(one, adapter, bases, decoding, device)
    dtype = DTYPES[one.precision]
    if isinstance(one, WhisperExperiment):
        return Whisper(bases["whisper"], one.whisper, decoding, dtype, device)
    if isinstance(one, CascadeExperiment):
        whisper = Whisper(bases["whisper"], one.whisper, decoding, dtype, device)
        return Cascade(whisper, bases["llm"], one.llm, decoding, dtype, device)
    if not is_exported(bases["model"]):
        raise ConfigError(
            f"{bases['model']} is not a LLaST model: `llast export` writes one. Name another as model."
        )
    model: Any = LlastForConditionalGeneration.from_pretrained(bases["model"], dtype=dtype)
    processor = LlastProcessor.from_pretrained(bases["model"])
    return partial(decode_batches, model.to(device).eval(), processor, options=decoding)


def _trained(
    spec: TrainSpec, adapter: Path, bases: dict[str, Path], decoding: DecodingOptions, device: torch.device
) -> System:
    model: Any = LlastForConditionalGeneration.from_bases(
        bases["encoder"],
        bases["llm"],
        window=spec.encoder.window,
        stack=spec.adaptor.stack,
        template=spec.llm.template,
        dtype=DTYPES[spec.training.precision],
        load_in_4bit=spec.llm.load_in_4bit,
    )
    model = load_adapters(model, adapter).eval().to(device)
    processor = LlastProcessor.from_llm(bases["llm"], spec.llm.template)
    return partial(decode_batches, model, processor, options=decoding)
