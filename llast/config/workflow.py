"""The workflow's own configuration: flat values, since `--configfile` merges nested maps key by key."""

from typing import Annotated, Literal

from pydantic import Field

from llast.config.base import Distinct, Model


class WorkflowConfig(Model):
    """A file such as `config/config.yaml`: which experiments on which corpus."""

    corpus: str = Field(description="Name of a file in {config_dir}/corpora/.")
    experiments: Distinct[str] = Field(
        min_length=1, description="Names of files in {config_dir}/experiments/."
    )
    seeds: Distinct[Annotated[int, Field(ge=0)]] = Field(
        [1], min_length=1, description="Each experiment runs once per seed."
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
    comet_command: str | None = Field(
        None,
        description="Path of `comet-score` (unbabel-comet in an environment of its own, with options such as "
        "`--gpus 0`); null: no COMET.",
    )
    comet_model: str = Field("Unbabel/wmt22-comet-da", description="COMET model on the Hugging Face hub.")
    tracking_uri: str = Field(
        "sqlite:///results/mlflow.db", description="MLflow store: SQLite file or server."
    )
    config_dir: str = Field("config", description="Folder with corpora/ and experiments/.")
