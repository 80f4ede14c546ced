"""Which system an experiment's kind means."""

from pathlib import Path

import pytest

from llast.artifacts.run import RunCheckpoint
from llast.config.evaluation_only import KINDS, PretrainedExperiment
from llast.config.experiment import DecodingOptions
from llast.errors import ConfigError
from llast.evaluation.systems import LOADERS, load_system
from tests.runs import trained_run


def test_every_kind_of_experiment_has_a_system() -> None:
    assert set(LOADERS) == set(KINDS)


def test_a_pretrained_model_has_to_be_an_export(base_models: Path) -> None:
    run = trained_run(
        options=PretrainedExperiment(kind="pretrained", model="./llama"),
        folder=None,
        checkpoints=[RunCheckpoint(checkpoint=1, step=0, folder=None)],
    )
    with pytest.raises(ConfigError, match="llast export"):
        load_system(run, None, {"model": base_models / "llama"}, DecodingOptions())
