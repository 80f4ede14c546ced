"""Import a checkpoint of the released code (github.com/ChenX17/xtuner, branch `add_llast`) as a folder of adapters."""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from llast.config.experiment import ExperimentConfig, LoraOptions
from llast.config.steps import TrainSpec
from llast.errors import ConfigError, DataError
from llast.model.bases import base_config
from llast.model.configuration import LlastConfig
from llast.model.lora import lora_config
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.weights import misfits, not_finite
from llast.release.card import Card
from llast.release.export import new_folder, write_adapters

ENGINE_FILE = "mp_rank_00_model_states.pt"
DECODER = "speech_encoder.base_model.model.decoder."
NAMES = {
    r"llm\.base_model\.model\.(.+\.lora_[AB])\.default\.weight": r"base_model.model.llm.\1.weight",
    r"speech_encoder\.base_model\.model\.(encoder\..+\.lora_[AB])\.default\.weight": r"base_model.model.\1.weight",
    r"projector\.model\.([024]\.(?:weight|bias))": r"base_model.model.adaptor.layers.\1",
}
"""Released names and ours, which are peft's own."""


@dataclass
class Converted:
    """Tensors under our names, and what became of the others.

    Attributes:
        tensors: adapters and adaptor.
        ranks: of the LoRA on `encoder` and `llm`, where there is one.
        alphas: that they were given.
        dropped: tensors and parameters of the LoRA on Whisper's decoder, whose output nobody reads.
        unknown: names that stand for nothing here.
    """

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, int] = field(default_factory=dict)
    dropped: tuple[int, int] = (0, 0)
    unknown: list[str] = field(default_factory=list)

    @property
    def scales(self) -> str:
        """Alphas with their ranks, in words."""
        return ", ".join(
            f"{alpha} (rank {self.ranks[part]}) on the {part}" for part, alpha in self.alphas.items()
        )


def import_xtuner(
    checkpoint: Path,
    experiment: ExperimentConfig,
    output: Path,
    encoder_alpha: int | None = None,
    llm_alpha: int | None = None,
) -> Converted:
    """Write a folder of adapters that `LlastForConditionalGeneration.from_pretrained` loads.

    Args:
        checkpoint: `mp_rank_00_model_states.pt`, the folder around it, or a file with a `state_dict`.
        experiment: names bases and template, and the alphas where these are not given.
        output: folder to write; must not exist.
        encoder_alpha: of the LoRA on the encoder; the file does not say. None: what keeps the experiment's alpha over
            rank, at the rank of the file.
        llm_alpha: of the LoRA on the LLM.

    Raises:
        ConfigError: a base whose shape is not known, an alpha that has to be given, or `output` exists.
        DataError: the file is no such checkpoint, or of a model of another shape.
    """
    configs: dict[str, Any] = {}
    for part, base in (("encoder", experiment.encoder.base), ("llm", experiment.llm.base)):
        if (found := base_config(base)) is None:
            raise ConfigError(
                f"{part}.base: the shape of {base} is not known. Run llast fetch-model for it first."
            )
        configs[f"{part}_config"] = found
    config = LlastConfig(**configs, stack=experiment.adaptor.stack)
    converted = convert(read_tensors(checkpoint))
    options = {
        part: _lora(converted.ranks.get(part), alpha, lora, part)
        for part, alpha, lora in (
            ("encoder", encoder_alpha, experiment.encoder.lora),
            ("llm", llm_alpha, experiment.llm.lora),
        )
    }
    converted.alphas = {part: lora.alpha for part, lora in options.items() if lora}
    peft_config = check(converted, config, options["encoder"], options["llm"], checkpoint)
    spec = TrainSpec(
        encoder=experiment.encoder.model_copy(update={"lora": options["encoder"]}),
        adaptor=experiment.adaptor,
        llm=experiment.llm.model_copy(update={"lora": options["llm"]}),
        mixture=experiment.mixture,
        training=experiment.training,
    )
    tensors, parameters = converted.dropped
    card = Card(
        spec=spec,
        origin=f"Imported from a checkpoint of the released code, `{checkpoint.name}`.",
        notes=[
            f"LoRA alphas, which that file lacks: {converted.scales}. {parameters:,} parameters in {tensors} tensors "
            "of LoRA on Whisper's decoder, whose output is not read, were left out. The base LLM was in 4 bit (NF4) in "
            "the released training."
        ],
    )
    bases = {"encoder": experiment.encoder.base, "llm": experiment.llm.base}
    with new_folder(output) as folder:
        (folder / "adapter").mkdir()
        peft_config.inference_mode = True
        peft_config.save_pretrained(str(folder / "adapter"))
        contiguous = {name: tensor.contiguous() for name, tensor in converted.tensors.items()}
        save_file(contiguous, folder / "adapter" / "adapter_model.safetensors", metadata={"format": "pt"})
        write_adapters(folder, config, bases, card)
    return converted


def read_tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, by the released code's names; nothing in the file is executed.

    Raises:
        DataError: no such file, one that needs code to be read, or one without tensors by name.
    """
    file = checkpoint / ENGINE_FILE if checkpoint.is_dir() else checkpoint
    if not file.is_file():
        raise DataError(
            f"{file} does not exist. A checkpoint folder of the released code holds {ENGINE_FILE}."
        )
    if len(list(file.parent.glob("mp_rank_*_model_states.pt"))) > 1 and file.name == ENGINE_FILE:
        raise DataError(
            f"{file.parent} is a checkpoint in several parts (model parallel), which LLaST never was."
        )
    try:
        value = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no pickle makes the unpickler fail in any way
        if not isinstance(error, pickle.UnpicklingError) or not ("GLOBAL" in str(error) or is_zipfile(file)):
            raise DataError(f"{file} is not a file of torch.save, or it is cut off: {error}.") from None
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise DataError(
            f"{file} holds more than tensors{f' ({found[1]})' if found else ''}: reading it would run code from it. "
            "If you trust it, take the tensors out first, where the code that wrote it is installed: python -c "
            f"\"import torch; torch.save(torch.load('{file.name}', weights_only=False)['module'], 'tensors.pt')\""
        ) from None
    for key in ("module", "state_dict"):
        if isinstance(value, Mapping) and isinstance(value.get(key), Mapping):
            value = value[key]
    tensors = value if isinstance(value, Mapping) else {}
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise DataError(
            f"{file} has no tensors by name, neither under 'module' or 'state_dict' nor at its top."
        )
    return dict(tensors)


def convert(tensors: Mapping[str, torch.Tensor]) -> Converted:
    """Rename the released code's tensors.

    Raises:
        DataError: LoRA of more than one rank on one part, or of rank 0.
    """
    result = Converted()
    ranks: dict[str, set[int]] = {}
    for name, tensor in tensors.items():
        if name.startswith(DECODER):
            count, parameters = result.dropped
            result.dropped = (count + 1, parameters + tensor.numel())
            continue
        ours = next((re.sub(old, new, name) for old, new in NAMES.items() if re.fullmatch(old, name)), None)
        if ours is None:
            result.unknown.append(name)
            continue
        result.tensors[ours] = tensor
        if ".lora_A." in ours:
            ranks.setdefault(ours.split(".")[2], set()).add(tensor.shape[0])
    for part, found in ranks.items():
        if len(found) > 1:
            raise DataError(f"LoRA on the {part} has ranks {sorted(found)}; the released code has one.")
        result.ranks[part] = found.pop()
        if not result.ranks[part]:
            raise DataError(f"LoRA on the {part} has rank 0: it holds nothing. Take another checkpoint.")
    return result


def check(
    converted: Converted,
    config: LlastConfig,
    encoder: LoraOptions | None,
    llm: LoraOptions | None,
    where: Path,
) -> LoraConfig:
    """Compare names and shapes with those of the model; returns its peft configuration.

    Raises:
        DataError: a tensor is missing, too many, of another shape, or not finite.
    """
    with torch.device("meta"):
        model = LlastForConditionalGeneration(config).requires_grad_(False)
        peft_config = lora_config(model, encoder, llm)
        if peft_config is None:
            raise DataError(f"{where} has no LoRA, neither on the encoder nor on the LLM.")
        expected = get_peft_model_state_dict(get_peft_model(model, peft_config))
    wrong = misfits(converted.tensors, expected)
    if wrong:
        others = f"\n  and {len(wrong) - 3} others" if len(wrong) > 3 else ""
        raise DataError(
            f"{where} does not fit the bases of the experiment; is it of another size?\n  "
            + "\n  ".join(wrong[:3])
            + others
        )
    if broken := not_finite(converted.tensors):
        raise DataError(f"{where} has weights that are not finite: {broken[0]}. Take another checkpoint.")
    return peft_config


def _lora(rank: int | None, alpha: int | None, lora: LoraOptions | None, part: str) -> LoraOptions | None:
    """LoRA of the file's rank. An experiment of another rank has its alpha scaled: their ratio is what counts."""
    if rank is None:
        return None
    if alpha is None:
        if lora is None:
            raise ConfigError(
                f"the file has LoRA on the {part}, the experiment has none: give --{part}-alpha."
            )
        alpha, rest = divmod(lora.alpha * rank, lora.rank)
        if rest:
            raise ConfigError(
                f"the file's LoRA on the {part} has rank {rank}, the experiment's has rank {lora.rank} and alpha "
                f"{lora.alpha}, which makes no whole alpha: give --{part}-alpha."
            )
    return LoraOptions(rank=rank, alpha=alpha)
