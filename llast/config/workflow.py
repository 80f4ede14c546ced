"""The workflow's own configuration: flat values, since `--configfile` merges nested maps key by key."""

from typing import Annotated

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
        500, ge=1, description="dev rows per pair to translate, the same for every run; null: all."
    )
    test_rows: int | None = Field(
        None, ge=1, description="test rows per pair to translate; null: all, as published."
    )
    asr_rows: int | None = Field(
        500,
        ge=0,
        description="dev and test clips per source language to transcribe, for word error rates, where an experiment "
        "can (`asr` among its tasks); 0: none, null: all.",
    )
    tracking_uri: str = Field(
        "sqlite:///results/mlflow.db", description="MLflow store: SQLite file or server."
    )
    config_dir: str = Field("config", description="Folder with corpora/ and experiments/.")
