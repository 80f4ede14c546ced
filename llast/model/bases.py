"""Base models: what is known of them without the hub, and where they lie."""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from llast.artifacts import model_digest
from llast.artifacts.corpus import FetchModelSummary
from llast.config.layout import MODELS, is_folder, model_name
from llast.disk import refusal_in
from llast.errors import DataError


@dataclass(frozen=True)
class Base:
    """A base model that is known here.

    Attributes:
        licence: its name.
        note: what the licence asks for, in a sentence; may be empty.
        download_gb: what the hub sends.
        gated: whether it is given only to those who asked for it.
        config: what `config.json` says of its shape; the rest are transformers' defaults.
    """

    licence: str
    config: dict[str, Any]
    download_gb: float
    note: str = ""
    gated: bool = False


@lru_cache
def known_bases() -> dict[str, Base]:
    """The bases of `bases.yaml`, by `org/name`."""
    text = files("llast.model").joinpath("bases.yaml").read_text(encoding="utf-8")
    return {name: Base(**values) for name, values in yaml.safe_load(text).items()}


def place(reference: str) -> Path:
    """Folder of a base: its own, or where the step `fetch_model` puts it."""
    return Path(reference) if is_folder(reference) else Path(MODELS) / model_name(reference)


def base_config(reference: str) -> dict[str, Any] | None:
    """What `config.json` of a base says: of a known one, or of one that is here; None: not known."""
    if base := known_bases().get(reference.partition("@")[0]):
        return base.config
    try:
        config: dict[str, Any] = json.loads((place(reference) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config


def base_folder(reference: str) -> Path:
    """Folder with a base's files, downloaded if it is not here yet.

    Raises:
        DataError: it is not where its reference says.
    """
    here = place(reference)
    if is_folder(reference) and not here.is_dir():
        raise DataError(f"the base model {reference} is not there any more. Put it back, or a link to it.")
    if is_folder(reference) or (here / "summary.json").exists():
        return here
    name, _, revision = reference.partition("@")
    return folder_of(name, revision or None)


def base_identity(reference: str, folder: Path) -> str:
    """What a base model is: a digest of the files of a folder, or a reference to the hub with the commit that came.

    Args:
        reference: as an experiment names it.
        folder: where its files are.
    """
    if is_folder(reference):
        return model_digest(folder)
    fetched = folder / "summary.json"
    if not fetched.exists():
        return reference
    return f"{reference} ({FetchModelSummary.read(fetched).details.commit})"


def folder_of(name: str | Path, revision: str | None = None) -> Path:
    """A folder as it is, or one with the files of a repository of the hub.

    Raises:
        DataError: the hub does not give it.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(name), revision=revision))
    except Exception as error:  # of the hub, of its cache, or of whichever HTTP library it uses
        if refusal_in(error):
            raise
        reference = f"{name}@{revision}"
        raise DataError(
            f"{name} is neither here nor to be had from the hub: {error} Where the network is: llast fetch-model "
            f"--reference {reference} --output {place(reference)}/summary.json"
        ) from None


def config_without_dropout(folder: Path) -> Any:
    """Configuration of a base without dropout of any kind.

    A frozen base computes the same in training as in decoding; the noise of training is the adapters' dropout.

    Raises:
        DataError: there is none, or of a model that transformers does not know.
    """
    from transformers import AutoConfig

    from llast.model.weights import reading

    with reading(folder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for name, value in config.to_dict().items():
        if isinstance(value, float) and "drop" in name:
            setattr(config, name, 0.0)
    return config
