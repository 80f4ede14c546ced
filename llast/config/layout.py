"""Where everything lies that a workflow makes. A test holds the outputs of the rules against these paths.

Arguments may be patterns of the rules, such as `{source}`. `run` is the folder of a run, wherever it lies.
"""

import json
import re
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""Names of corpora and experiments, which become names of files, folders and jobs."""

LARGEST_SEED = 2**32 - 1
"""Seeds are what numpy, torch and Python all take; they name folders."""

MODELS = "resources/models"
CORPUS_STATISTICS = "results/corpus_statistics.csv"
TABLE = "results/bleu_table.csv"
SCORES = "results/scores.csv"
REPORT = "results/report.html"
TRACK = "results/track.json"

WEIGHTS = (".safetensors", ".bin")
"""Endings of a model's weights, the better format first."""

SMALL = (".json", ".txt", ".model", ".jinja")
"""Endings of a model's other files that decide what it computes: configuration, vocabulary, merges, chat template."""


def corpus_summary(corpus: str, step: str, source: str) -> str:
    """The summary of a step of the corpus, which experiments share."""
    return f"resources/{corpus}/{step}/{source}/summary.json"


def run_folder(experiment: str, seed: int | str) -> str:
    """What one experiment makes, with one seed."""
    return f"results/{experiment}/seed{seed}"


def mix_summary(run: str | Path) -> str:
    """The summary of the training rows of a run."""
    return f"{run}/mix/summary.json"


def run_manifest(run: str | Path, step: str) -> str:
    """What a run is; `step` is `train` or `describe`."""
    return f"{run}/{step}/run.json"


def decode_summary(run: str | Path, checkpoint: int | str, source: str) -> str:
    """The summary of a checkpoint's hypotheses of one source language."""
    return f"{run}/decode/checkpoint{checkpoint}/{source}/summary.json"


def score_file(run: str | Path, checkpoint: int | str, split: str) -> str:
    """The scores of a checkpoint on one split."""
    return f"{run}/score/checkpoint{checkpoint}.{split}.json"


def comparison(run: str | Path) -> str:
    """The comparison of a run with its baseline."""
    return f"{run}/compare/comparison.json"


def is_folder(base: str) -> bool:
    """Whether a base model is used in place; else it is a reference to the hub."""
    return base.startswith(("./", "/"))


def model_name(base: str) -> str:
    """The folder of a hub's model under `MODELS`."""
    return base.replace("/", "--")


def model_summary(name: str) -> str:
    """The summary of a hub's model that is here."""
    return f"{MODELS}/{name}/summary.json"


def model_files(folder: Path) -> list[Path]:
    """The files of a model in Hugging Face format that decide what it computes.

    Of an exported folder of adapters, these are in a folder of their own, and its bases count where they are folders.
    """
    own = [
        path for pattern in ("*", "adapter/*", "additional_chat_templates/*") for path in folder.glob(pattern)
    ]
    files = sorted(path for path in own if path.suffix in (*WEIGHTS, *SMALL))
    return files + [file for base in _bases_of(folder) for file in model_files(base)]


def _bases_of(folder: Path) -> list[Path]:
    """Folders of the bases that an exported folder of adapters names."""
    if not (folder / "adapter").is_dir():
        return []
    try:
        named = json.loads((folder / "config.json").read_text(encoding="utf-8"))["bases"]
        return [Path(named[part]) for part in ("encoder", "llm") if is_folder(named[part])]
    except (OSError, ValueError, KeyError, TypeError):  # which loading it complains of
        return []


def model_file(base: str) -> str:
    """The file that stands for a base model, in the folder that holds it."""
    if is_folder(base):
        return str(Path(base) / "config.json")
    return model_summary(model_name(base))
