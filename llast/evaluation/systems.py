"""What turns clips into texts: a trained checkpoint."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
import transformers

from llast.config.experiment import DecodingOptions
from llast.config.steps import TrainSpec
from llast.model.decoding import Clip, Decoded, decode_batches
from llast.model.lora import load_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor

System = Callable[[Sequence[Clip]], Iterator[Decoded]]
"""Decodes clips in batches of its own choice; yields each batch as it is done."""


def trained_system(
    spec: TrainSpec, adapter: Path, encoder: Path, llm: Path, decoding: DecodingOptions
) -> System:
    """A checkpoint of a training."""
    transformers.utils.logging.disable_progress_bar()
    model = LlastForConditionalGeneration.from_bases(
        encoder,
        llm,
        window=spec.encoder.window,
        stack=spec.adaptor.stack,
        template=spec.llm.template,
        dtype=DTYPES[spec.training.precision],
        load_in_4bit=spec.llm.load_in_4bit,
    )
    model = load_adapters(model, adapter).eval()
    model.to(device())
    processor = LlastProcessor.from_llm(llm, spec.llm.template)
    return partial(decode_batches, model, processor, options=decoding)


def device() -> torch.device:
    """Where decoding runs: a GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
