"""What a verb is, and the arguments that several verbs have."""

import os
from argparse import Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llast.cli import run
from llast.errors import UserError

if TYPE_CHECKING:
    from llast.artifacts import Summary

Arguments = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    Attributes:
        name: `group verb` or `verb`.
        help: one sentence.
        run: is given the parsed arguments, and the options if there are any; returns the step's summary if it has one.
        arguments: those of `argparse`, by name.
        options: `module:model` of what `--options` holds.
    """

    name: str
    help: str
    run: Callable[..., "Summary | None"]
    arguments: Arguments = field(default_factory=dict)
    options: str | None = None


def summary_file(text: str) -> Path:
    """Where a step writes its summary."""
    path = Path(text)
    if path.name != "summary.json":
        raise ArgumentTypeError(f"'{text}': this step writes FOLDER/summary.json and its data beside it")
    return path


def model_folder(text: str) -> Path:
    """A folder, or any file directly in it: what Snakemake watches is a file."""
    path = Path(text)
    return path.parent if path.is_file() else path


def named_model(text: str) -> tuple[str, Path]:
    """`NAME=DIR`."""
    name, sign, path = text.partition("=")
    if not sign:
        raise ArgumentTypeError(f"'{text}': name each model, such as llm={text}")
    return name, model_folder(path)


def file(text: str, **more: Any) -> dict[str, Any]:
    """A path that has to be given, unless `more` says otherwise."""
    return {"type": Path, "required": True, "metavar": "FILE", "help": text, **more}


def files(text: str) -> dict[str, Any]:
    """One path or more."""
    return file(text, nargs="+")


def number(text: str, default: int | None = None) -> dict[str, Any]:
    """A whole number, which has to be given where there is no default."""
    return {"type": int, "required": default is None, "default": default, "metavar": "N", "help": text}


class Explain(Action):
    """`llast filter --explain CLIP_ID`: answers and ends, as `--help` does; the step's own arguments are not needed."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        try:
            run.explain(values)
        except UserError as error:
            parser.exit(error.exit_code, f"{parser.prog}: {error}\n")
        parser.exit(0)


SUMMARY = {"--output": file("FOLDER/summary.json, written last; the data lies beside it", type=summary_file)}
SOURCE = {"--source": {"required": True, "metavar": "LANG", "help": "source language, such as fr or zh-CN"}}
PAIRS = {
    "--pairs": {"required": True, "nargs": "+", "metavar": "PAIR", "help": "pairs out of it, such as fr_en"}
}
WORKERS = {"--workers": number("processes to work in", 1)}
OFFICIAL = {
    "--official-counts": {
        "action": BooleanOptionalAction,
        "default": False,
        "help": "compare rows per split with the published counts",
    }
}
SEED = {"--seed": number("seed")}
BASES = {
    "--encoder": file("folder of the base encoder", type=model_folder, metavar="DIR"),
    "--llm": file("folder of the base LLM", type=model_folder, metavar="DIR"),
}
NAMED_BASES = {
    "--bases": {
        "type": named_model,
        "nargs": "+",
        "required": True,
        "metavar": "NAME=DIR",
        "help": "folders of the models that the experiment is made of: encoder and llm, or others",
    }
}
TRACKING = {
    "--tracking-uri": {
        "default": os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///results/mlflow.db"),
        "metavar": "URI",
        "help": "MLflow store, by default $MLFLOW_TRACKING_URI, else sqlite:///results/mlflow.db",
    }
}
CASE = {
    "--case": {
        "choices": ["cased", "lower"],
        "default": "cased",
        "help": "the BLEU that counts; lower: as the released LLaST scorer (default: %(default)s)",
    }
}
RUNS = {
    "--runs": files("run.json of each run"),
    "--scores": files("score files of their checkpoints"),
}

OPTIONAL = {"required": False}
MODEL = {
    "--model": file(
        "a run (results/NAME/seed1), a checkpoint (.../step-000100) or an exported folder", metavar="DIR"
    )
}
CHECKPOINT = {
    "type": int,
    "metavar": "N",
    "help": "which checkpoint of a run; default: the best on dev, without scores the last",
}

PLANNED = {
    "--configfile": file(
        "laid over config/config.yaml, as Snakemake does; default: the profile's",
        required=False,
        nargs="+",
        default=[],
    ),
    "--profile": file(
        "Snakemake profile, for the machines; default: this one, no GPU",
        required=False,
        metavar="DIR",
    ),
    "--benchmarks": file(
        "records of make bench (default: %(default)s)",
        required=False,
        metavar="DIR",
        default=Path("benchmarks/results"),
    ),
}
