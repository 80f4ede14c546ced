"""Fetch a base model from the Hugging Face hub: its weights in one format, its configuration, its tokenizer."""

import time
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download

from llast.artifacts.corpus import FetchModelDetails, FetchModelSummary
from llast.config.layout import SMALL, WEIGHTS
from llast.config.steps import STEP_VERSIONS
from llast.errors import DataError
from llast.hub import HubRepository


def fetch_model(reference: str, output: Path) -> FetchModelSummary:
    """Download a model into a folder; an interrupted download goes on where it stopped.

    Args:
        reference: `org/name@revision`.
        output: folder for the files and `summary.json`.

    Raises:
        ConfigError: no such model or revision, or one that this account may not read.
        DataError: the hub cannot be reached, or the model has no weights for PyTorch.
    """
    started = time.monotonic()
    name, _, revision = reference.partition("@")
    repository = HubRepository(
        "model", name, revision, "the reference", "Or put the model into a folder and name that, as ./FOLDER."
    )
    with repository.refusals():
        info = HfApi().model_info(name, revision=revision)
        files = [file.rfilename for file in info.siblings or []]
        wanted = _wanted(reference, files)
        snapshot_download(name, revision=revision, local_dir=output, allow_patterns=wanted)
    summary = FetchModelSummary(
        version=STEP_VERSIONS["fetch_model"],
        rows_in=len(files),
        rows_out=len(wanted),
        dropped={"other_format": len(files) - len(wanted)},
        seconds=time.monotonic() - started,
        details=FetchModelDetails(reference=reference, commit=str(info.sha), files=wanted),
    )
    summary.write(output / "summary.json")
    return summary


def _wanted(reference: str, files: list[str]) -> list[str]:
    """Small files of the top folder with the model's page, and the weights: safetensors, else PyTorch's own."""
    top = [file for file in files if len(PurePosixPath(file).parts) == 1]
    others = ("flax_", "tf_", "pytorch_")
    small = [file for file in top if file.endswith((*SMALL, ".md")) and not file.startswith(others)]
    indices = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
    for ending, index in zip(WEIGHTS, indices, strict=True):
        weights = [file for file in top if file.endswith(ending) and not file.startswith("training_")]
        if weights:
            return sorted({*small, *weights, *(file for file in top if file == index)})
    raise DataError(f"{reference} has no weights as safetensors or for PyTorch. Choose another model.")
