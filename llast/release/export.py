"""Export: a trained model as one folder in Hugging Face format, with a model card."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers

from llast.artifacts import follow_umask
from llast.config.layout import is_folder
from llast.config.steps import TrainSpec
from llast.errors import ConfigError, DataError
from llast.model.configuration import LlastConfig, is_exported, model_options
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.release.card import Card, score_lines
from llast.release.trained import find_checkpoint
from llast.temporary import temporary_folder

CARD = "llast.json"
"""What the model card was written from, in the exported folder."""


def export(model: Path, output: Path, adapters_only: bool = False, checkpoint: int | None = None) -> Path:
    """Write a trained model as a folder that `LlastForConditionalGeneration.from_pretrained` loads; returns the folder.

    Args:
        model: a run or a checkpoint, see `find_checkpoint`; or an exported folder of adapters, to merge them.
        output: folder to write; must not exist.
        adapters_only: name the bases instead of merging the adapters into them.
        checkpoint: number of a run's checkpoint; None: the best on dev.

    Raises:
        ConfigError: `output` exists.
        DataError: there is no such model, or it is merged already.
    """
    transformers.utils.logging.disable_progress_bar()
    if is_exported(model):
        config: Any = LlastConfig.from_pretrained(model)
        if config.bases is None or adapters_only:
            raise DataError(f"{model} is an export already. Only adapters can be exported again, merged.")
        config.load_in_4bit = False
        whole = LlastForConditionalGeneration.from_pretrained(model, config=config)
        card = Card.read(model / CARD)
        with new_folder(output) as folder:
            _write_whole(folder, whole, LlastProcessor.from_pretrained(model), card)
        return output
    found = find_checkpoint(model, checkpoint)
    spec = found.spec
    notes = ["Trained on an LLM in 4 bit (NF4)."] if spec.llm.load_in_4bit else []
    if found.average_last > 1:
        notes.append(f"The mean of the last {found.average_last} checkpoints up to there, as it was scored.")
    origin = f"Experiment `{found.experiment}`, seed {found.seed}, after {found.step:,} optimiser steps."
    card = Card(spec=spec, origin=origin, scores=score_lines(found), notes=notes)
    with new_folder(output) as folder:
        if not adapters_only:
            _write_whole(folder, found.model(load_in_4bit=False), found.processor(), card)
            return output
        encoder, llm = found.base("encoder"), found.base("llm")
        config = LlastConfig.from_bases(encoder, llm)
        bases = {
            part: str(folder.resolve()) if is_folder(reference) else reference
            for part, reference, folder in (
                ("encoder", spec.encoder.base, encoder),
                ("llm", spec.llm.base, llm),
            )
        }
        with found.adapter() as adapter:
            shutil.copytree(adapter, folder / "adapter", ignore=shutil.ignore_patterns("README.md"))
        write_adapters(folder, config, bases, card)
    return output


def write_adapters(folder: Path, config: LlastConfig, bases: dict[str, str], card: Card) -> None:
    """Write what stands beside `adapter/` in a folder of adapters: a configuration that names the bases; the card."""
    spec = card.spec
    config.update(
        model_options(spec)
        | {
            "bases": bases,
            "dtype": DTYPES[spec.training.precision],
            "architectures": [LlastForConditionalGeneration.__name__],
        }
    )
    _without_places(config, spec)
    config.save_pretrained(folder)
    _write_card(folder, card, merged=False)


def _write_whole(
    folder: Path, model: LlastForConditionalGeneration, processor: LlastProcessor, card: Card
) -> None:
    model.config.load_in_4bit = False
    if card.spec.llm.load_in_4bit:
        merged = "Merged here into its full weights: close to what was trained, but not the same."
        card = card.model_copy(update={"notes": [*card.notes, merged]})
    _without_places(model.config, card.spec)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    _write_card(folder, card, merged=True)


def _write_card(folder: Path, card: Card, merged: bool) -> None:
    card.write(folder / CARD)
    (folder / "README.md").write_text(card.text(folder.name, merged), encoding="utf-8")


def _without_places(config: LlastConfig, spec: TrainSpec) -> None:
    """transformers notes where a configuration was read; that is nobody's business but the exporter's."""
    config.encoder_config._name_or_path = spec.encoder.base
    config.llm_config._name_or_path = spec.llm.base


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder that appears under its name only when it is complete.

    Raises:
        ConfigError: something of that name exists.
    """
    if output.exists():
        raise ConfigError(f"{output} exists. Name a new folder, or remove that one.")
    with temporary_folder(output.resolve()) as place:
        partial = place / output.name
        partial.mkdir()
        yield partial
        follow_umask(partial)
        if output.exists():  # another export was quicker
            raise ConfigError(f"{output} exists. Name a new folder, or remove that one.")
        partial.rename(output)
