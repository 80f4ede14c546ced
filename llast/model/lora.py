"""Dual LoRA: one peft adapter on the composite model, so that it saves and loads as one small folder."""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from llast.artifacts import follow_umask
from llast.config.experiment import LoraOptions
from llast.errors import ConfigError, DataError
from llast.model.encoders.base import speech_encoder
from llast.model.lora_linear import fuse
from llast.model.weights import first_line, misfits, not_finite, reading

ADAPTOR_FILE = "adaptor.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"
REMEDY = "Copy it again from where it is whole, or take another checkpoint."
# peft 0.21 reads a property that transformers 5.23 has renamed; nothing that a user could mend.
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

Llast = TypeVar("Llast", bound=PreTrainedModel)
"""A `LlastForConditionalGeneration`; its module imports this one."""


def lora_config(
    model: PreTrainedModel, encoder: LoraOptions | None, llm: LoraOptions | None
) -> LoraConfig | None:
    """The peft configuration of LoRA on encoder, LLM, both or (None) neither, with the adaptor trained besides.

    Raises:
        ConfigError: `targets` names a layer that the model does not have.
    """
    speech = speech_encoder(model.config.encoder_config, "encoder_config")
    parts = [("encoder", encoder, speech.lora_targets), ("llm", llm, None)]
    used = [
        (name, options, _targets(name, model.get_submodule(name), options.targets, default))
        for name, options, default in parts
        if options
    ]
    if not used:
        return None
    pattern = "|".join(rf"{name}\..*\.({'|'.join(map(re.escape, targets))})" for name, _, targets in used)
    ranks = {rf"^{name}\..*": options.rank for name, options, _ in used}
    alphas = {rf"^{name}\..*": options.alpha for name, options, _ in used}
    if len({options.dropout for _, options, _ in used}) > 1:
        raise ValueError("encoder and LLM LoRA must have the same dropout: peft has one per adapter")
    return LoraConfig(
        r=used[0][1].rank,
        lora_alpha=used[0][1].alpha,
        lora_dropout=used[0][1].dropout,
        target_modules=rf"^({pattern})$",
        rank_pattern=ranks,
        alpha_pattern=alphas,
        modules_to_save=["adaptor"],
    )


def _targets(
    name: str, part: nn.Module, chosen: list[str] | None, default: Sequence[str] | None
) -> Sequence[str]:
    """Last names of the layers to adapt: by default every linear layer of the blocks, as in the released code."""
    paths = [
        path.split(".") for path, module in part.named_modules() if isinstance(module, (nn.Linear, Conv1D))
    ]
    linear = {path[-1] for path in paths if any(step.isdecimal() for step in path)}
    if unknown := sorted(set(chosen or []) - linear):
        raise ConfigError(
            f"{name}.lora.targets: no block has a linear layer called {', '.join(unknown)}. "
            f"There are: {', '.join(sorted(linear))}."
        )
    return chosen or default or sorted(linear)


def add_adapters(model: Llast, encoder: LoraOptions | None, llm: LoraOptions | None) -> Llast | PeftModel:
    """Make the model trainable: LoRA where asked for, and the adaptor."""
    config = lora_config(model, encoder, llm)
    if config is None:
        model.get_submodule("adaptor").requires_grad_(True)
        return model
    adapted = get_peft_model(model, config)
    fuse(adapted)
    return adapted


def save_adapters(model: PreTrainedModel | PeftModel, folder: Path) -> None:
    """Write adapters and adaptor, without the bases."""
    if isinstance(model, PeftModel):
        model.save_pretrained(str(folder), save_embedding_layers=False)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        state = model.get_submodule("adaptor").state_dict()
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / ADAPTOR_FILE)
    follow_umask(folder)


def load_adapters(model: Llast, folder: Path) -> Llast:
    """Put saved adapters and adaptor onto a model of fresh bases.

    LoRA is merged into the weights; onto 4-bit weights it is laid, for a merge would round it to 4 bits.

    Raises:
        DataError: weights are missing, not finite, or those of another model.
    """
    if (folder / ADAPTOR_FILE).exists():
        adaptor = model.get_submodule("adaptor")
        adaptor.load_state_dict(_read(folder / ADAPTOR_FILE, adaptor.state_dict()))
        return model
    file = folder / ADAPTER_FILE
    with reading(folder):
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        adapted = PeftModel(model, config)
    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    set_peft_model_state_dict(adapted, _read(file, expected))
    if model.config.load_in_4bit:
        return model  # peft has put its layers into it
    merged: Llast = adapted.merge_and_unload()
    return merged


def _read(file: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file, which have to be those that are expected."""
    try:
        found: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file} is missing or cut off: {first_line(error)} {REMEDY}") from None
    if wrong := misfits(found, expected):
        others = f" and {len(wrong) - 1} others" if len(wrong) > 1 else ""
        raise DataError(f"{file} is not of a model on these bases: {wrong[0]}{others}. {REMEDY}")
    if broken := not_finite(found):
        raise DataError(f"{file}: {broken[0]} is not finite. {REMEDY}")
    return found


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training changes, in a fixed order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
