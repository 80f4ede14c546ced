"""The workflow's own configuration: flat values, since `--configfile` merges nested maps key by key."""

import re
import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from llast.config.base import Distinct, Model, Text, is_server, without_braces
from llast.config.layout import LARGEST_SEED


def check_store(uri: str) -> str:
    """The address of an MLflow store as it is.

    Raises:
        ValueError: it is empty, or an address that no store can have.
    """
    if not uri.strip():
        raise ValueError(
            "it is empty. Leave it out for sqlite:///results/mlflow.db, or name a file or a server."
        )
    if uri.startswith("sqlite:") and not re.fullmatch(r"sqlite:///.*[^/]", uri):
        raise ValueError(f"'{uri}' names no file: write sqlite:///FOLDER/mlflow.db.")
    if uri.startswith(("http:", "https:")) and not is_server(uri):
        raise ValueError(
            "no server can have this address: write http://HOST:PORT, with a port from 1 to 65535."
        )
    return uri


def check_command(command: str) -> str:
    """A command with its options as it is.

    Raises:
        ValueError: it is empty, or a quotation in it does not end.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"{error}: a quotation mark in it has no second one.") from None
    if not words:
        raise ValueError("it is empty. Write null for none.")
    return command


def _folder(path: str) -> str:
    if path.startswith("-"):
        raise ValueError(f"'{path}' begins with a dash, as options do: write ./{path}")
    return without_braces(path)


Command = Annotated[str, AfterValidator(check_command)]
Store = Annotated[str, AfterValidator(check_store)]


class WorkflowConfig(Model):
    """A file such as `config/config.yaml`: which experiments on which corpus."""

    corpus: str = Field(description="Name of a file in {config_dir}/corpora/.")
    experiments: Distinct[str] = Field(
        min_length=1, description="Names of files in {config_dir}/experiments/."
    )
    seeds: Distinct[Annotated[int, Field(ge=0, le=LARGEST_SEED)]] = Field(
        [1], min_length=1, max_length=1_000, description="Each experiment runs once per seed."
    )
    dev_rows: int | None = Field(
        500, ge=1, description="dev rows per pair to decode, the same for every run; null: all."
    )
    test_rows: int | None = Field(
        None, ge=1, description="test rows per pair to decode; null: all, as published."
    )
    asr_rows: int | None = Field(
        500,
        ge=0,
        description="dev and test clips per source language to transcribe, for word error rates, where an experiment "
        "can (`asr` among its tasks); 0: none, null: all.",
    )
    case: Literal["cased", "lower"] = Field(
        "cased",
        description="BLEU of the table, the choice of checkpoints and comparisons: `lower` gives the released LLaST "
        "scorer's numbers (both sides lower-cased; 13a, zh, ja-mecab). `scores.csv` always has both.",
    )
    comet_command: Command | None = Field(
        None,
        description="Path of `comet-score` (unbabel-comet in an environment of its own, with options such as "
        "`--gpus 0`); null: no COMET.",
    )
    comet_model: Text = Field("Unbabel/wmt22-comet-da", description="COMET model on the Hugging Face hub.")
    tracking_uri: Store = Field(
        "sqlite:///results/mlflow.db", description="MLflow store: SQLite file or server."
    )
    config_dir: Annotated[Text, AfterValidator(_folder)] = Field(
        "config", description="Folder with corpora/ and experiments/."
    )
