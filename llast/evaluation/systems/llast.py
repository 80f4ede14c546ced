"""LLaST models: a checkpoint of a training, or an exported folder."""

from functools import partial
from typing import Any

from llast.config.evaluation_only import PretrainedExperiment
from llast.config.steps import TrainSpec
from llast.errors import ConfigError
from llast.evaluation.systems.base import System, SystemInputs
from llast.model.configuration import is_exported
from llast.model.decoding import decode_batches
from llast.model.lora import load_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor


def load_trained(spec: TrainSpec, inputs: SystemInputs) -> System:
    """A checkpoint of a training: its adapters on the bases `encoder` and `llm`."""
    encoder, llm = inputs.bases["encoder"], inputs.bases["llm"]
    assert inputs.adapter is not None
    model = load_adapters(LlastForConditionalGeneration.from_spec(spec, encoder, llm), inputs.adapter)
    return _system(model, LlastProcessor.from_llm(llm, spec.llm.template), inputs)


def load_pretrained(experiment: PretrainedExperiment, inputs: SystemInputs) -> System:
    """An exported folder, the base `model`.

    Raises:
        ConfigError: the folder is none.
    """
    folder = inputs.bases["model"]
    if not is_exported(folder):
        raise ConfigError(f"{folder} is not a LLaST model: `llast export` writes one. Name another as model.")
    model = LlastForConditionalGeneration.from_pretrained(folder, dtype=DTYPES[experiment.precision])
    return _system(model, LlastProcessor.from_pretrained(folder), inputs)


def _system(model: Any, processor: LlastProcessor, inputs: SystemInputs) -> System:
    return partial(decode_batches, model.eval().to(inputs.device), processor, options=inputs.decoding)
