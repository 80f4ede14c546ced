"""What a verb is, and the arguments that several verbs have."""

import math
import os
from argparse import SUPPRESS, Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llast.config.layout import LARGEST_SEED, NAME
from llast.errors import UserError
from llast.languages import language, split_pair

Arguments = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Verb:
    """A verb of the command line: a function, and what its parameters are called on the command line.

    Attributes:
        name: `group verb` or `verb`.
        help: one sentence.
        function: `module:function`; each argument is passed by name. A summary that it returns is told in a line on
            standard error; text, a path, or an iterator of lines goes to standard output.
        arguments: those of `argparse`, by flag; a flag is the parameter's name.
        options: `module:model` of the parameter `options`, which `--options` gives as JSON.
        machine: `module:model` of the parameter `machine`, whose fields are arguments of their own.
        offline: whether Hugging Face's libraries must not look for their hub: compute nodes have no network, and what
            is missing in the folders is then an error at once, not after a timeout.
    """

    name: str
    help: str
    function: str
    arguments: Arguments = field(default_factory=dict)
    options: str | None = None
    machine: str | None = None
    offline: bool = False


def folder_with(name: str) -> Callable[[str], Path]:
    """The folder that a step writes to, from the file in it that is its declared output."""

    def convert(text: str) -> Path:
        path = Path(text)
        if path.name != name:
            raise ArgumentTypeError(f"'{text}': this step writes FOLDER/{name} and other files beside it")
        return path.parent

    return convert


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


def between(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"'{text}' is not a whole number") from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text:.30}: must be from {least} to {most}")
        return value

    return convert


def seconds(text: str) -> float:
    """A length of time: finite and above 0."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a number") from None
    if not (math.isfinite(value) and value > 0):
        raise ArgumentTypeError(f"'{text}': must be finite and above 0")
    return value


def checked(find: Callable[[], Callable[[str], object]]) -> Callable[[str], str]:
    """A text as it is, after a check that may raise ValueError or ConfigError.

    Args:
        find: gives the check; it may import what the help does not need.
    """

    def convert(text: str) -> str:
        try:
            find()(text)
        except (ValueError, UserError) as error:
            raise ArgumentTypeError(f"'{text}': {error}") from None
        return text

    return convert


def _store() -> Callable[[str], object]:
    from llast.config.workflow import check_store

    return check_store


def hub_reference() -> Callable[[str], object]:
    """The check of a reference to a model of the hub, for `checked`."""
    from llast.config.experiment import check_hub_reference

    return check_hub_reference


def file(text: str, **more: Any) -> dict[str, Any]:
    """A path that has to be given, unless `more` says otherwise."""
    return {"type": Path, "required": True, "metavar": "FILE", "help": text, **more}


def files(text: str, **more: Any) -> dict[str, Any]:
    """One path or more."""
    return file(text, nargs="+", **more)


def number(text: str, default: int | None = None, least: int = 1, most: int = 1_000) -> dict[str, Any]:
    """A whole number, which has to be given where there is no default."""
    return {
        "type": between(least, most),
        "required": default is None,
        "default": default,
        "metavar": "N",
        "help": text,
    }


def _experiment(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ArgumentTypeError(f"'{text}': a name has only letters, digits and . _ + -")
    return text


def name(text: str) -> dict[str, Any]:
    """The name of an experiment, which has to be given: it names files, folders and jobs."""
    return {"type": _experiment, "required": True, "metavar": "NAME", "help": text}


class Explain(Action):
    """`llast filter --explain CLIP_ID`: answers and ends, as `--help` does; the step's own arguments are not needed."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        from llast.corpus.explain import explain

        try:
            print("\n".join(explain(values, Path("resources"))))
        except UserError as error:
            parser.exit(error.exit_code, f"{parser.prog}: {error}\n")
        parser.exit(0)


class _Dict(Action):
    """Pairs of name and value as a dict."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, dict(values))


SUMMARY = {
    "--output": file(
        "FOLDER/summary.json, written last; the data lies beside it", type=folder_with("summary.json")
    )
}
SOURCE = {
    "--source": {
        "type": checked(lambda: language),
        "required": True,
        "metavar": "LANG",
        "help": "source language, such as fr or zh-CN",
    }
}
PAIRS = {
    "--pairs": {
        "type": checked(lambda: split_pair),
        "required": True,
        "nargs": "+",
        "metavar": "PAIR",
        "help": "pairs out of it, such as fr_en",
    }
}
WORKERS = {"--workers": number("processes to work in (default: %(default)s)", 1, most=4_096)}
THREADS = {"--threads": number("CPU threads (default: %(default)s)", 1, most=4_096)}
OFFICIAL = {
    "--official-counts": {
        "action": BooleanOptionalAction,
        "default": False,
        "help": "compare rows per split with the published counts",
    }
}
SEED = {"--seed": number("seed", least=0, most=LARGEST_SEED)}
BASES = {
    "--encoder": file("folder of the base encoder", type=model_folder, metavar="DIR"),
    "--llm": file("folder of the base LLM", type=model_folder, metavar="DIR"),
}
NAMED_BASES = {
    "--bases": {
        "action": _Dict,
        "type": named_model,
        "nargs": "+",
        "required": True,
        "metavar": "NAME=DIR",
        "help": "folders of the models that the experiment is made of: encoder and llm, or others",
    }
}
TRACKING = {
    "--tracking-uri": {
        "type": checked(_store),
        "default": os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///results/mlflow.db",
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
COMPARED = {
    "--comparisons": file("files of compare", required=False, nargs="*", default=()),
    "--published": file("published scores to set beside ours", required=False, nargs="?"),
}
MODEL = {
    "--model": file(
        "a run (results/NAME/seed1), a checkpoint (.../step-000100) or an exported folder", metavar="DIR"
    )
}
CHECKPOINT = {
    "--checkpoint": {
        "type": between(1, 1_000),
        "metavar": "N",
        "help": "which checkpoint of a run; default: the best on dev, without scores there the last",
    }
}
NEW_FOLDER = {"--output": file("folder to write; must not exist", metavar="DIR")}
CONFIGURED = {
    "--configfile": files(
        "laid over config/config.yaml, as Snakemake does; default: the profile's", required=False, default=()
    ),
    "--profile": file(
        "Snakemake profile, for the machines; default: this one, no GPU", required=False, metavar="DIR"
    ),
    "--benchmarks": file(
        "records of make bench (default: %(default)s)",
        required=False,
        metavar="DIR",
        default=Path("benchmarks/results"),
    ),
}
EXPLAIN = {
    "--explain": {
        "action": Explain,
        "default": SUPPRESS,
        "metavar": "CLIP_ID",
        "help": "only say what happened to a clip, in every corpus below resources/",
    }
}
