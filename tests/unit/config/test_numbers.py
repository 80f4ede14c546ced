"""Numbers of the configuration are numbers: NaN, infinity and text are refused wherever one is read."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from llast.cli import main
from llast.config import steps
from llast.config.corpus import CorpusConfig
from llast.config.evaluation_only import KINDS
from llast.config.load import load_trained, load_workflow
from llast.config.workflow import WorkflowConfig
from llast.errors import ConfigError

FILES = (WorkflowConfig, CorpusConfig, *KINDS.values())
OPTIONS = (
    steps.FetchOptions,
    steps.TrainSpec,
    steps.DescribeOptions,
    steps.DecodeOptions,
    steps.ScoreOptions,
)


def holders(kind: Any, wrapped: Any = lambda number: number) -> Iterator[Any]:
    """For each place for a number in a value of a type: a function that puts one there."""
    if kind in (int, float):
        yield wrapped
    elif get_origin(kind) is dict:
        key_type, value_type = get_args(kind)
        key = get_args(key_type)[0] if get_origin(key_type) is Literal else "key"
        yield from holders(value_type, lambda number: wrapped({key: number}))
    elif get_origin(kind) is list:
        yield from holders(get_args(kind)[0], lambda number: wrapped([number]))
    elif get_origin(kind) is tuple:
        yield from holders(get_args(kind)[0], lambda number: wrapped([number, number]))
    else:
        for member in get_args(kind):
            yield from holders(member, wrapped)


def models(kind: Any) -> Iterator[type[BaseModel]]:
    """All models in a type, nested ones included."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation)
    for member in get_args(kind):
        yield from models(member)


def places() -> Iterator[Any]:
    for model in dict.fromkeys(found for root in (*FILES, *OPTIONS, steps.Machine) for found in models(root)):
        for name, field in model.model_fields.items():
            for put in holders(field.annotation):
                yield pytest.param(model, name, put, id=f"{model.__name__}.{name}")


def wrong(model: type[BaseModel], name: str, value: object) -> bool:
    """Whether a model refuses the value of a field; other fields are missing, which does not count."""
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return any(detail["loc"][0] == name for detail in error.errors())
    return False


def test_there_are_numbers_of_every_kind() -> None:
    found = {place.id for place in places()}
    assert {
        "WorkflowConfig.seeds",
        "MixtureOptions.tasks",
        "TrainingOptions.betas",
        "LoraOptions.rank",
    } <= found
    assert {"Machine.nodes", "FilterOptions.max_speech_rate", "DecodeOptions.asr_rows"} <= found


@pytest.mark.parametrize(("model", "name", "put"), [*places()])
def test_a_field_for_a_number_takes_nothing_else(model: type[BaseModel], name: str, put: Any) -> None:
    assert any(not wrong(model, name, put(number)) for number in (0, 0.5, 1, 2)), "some number is good"
    for value in (math.nan, math.inf, -math.inf, "text", "nan", "Infinity", -1):
        assert wrong(model, name, put(value)), value


EXPERIMENT = """
encoder: {base: ./enc}
llm: {base: ./llm}
mixture: {pairs: [fr_en]}
training:
  learning_rate: 1e-4
  deepspeed: {zero_optimization: {stage: 2}, comms_logger: {prof_ops: [1, 2]}}
"""


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("1e-4", r"training\.learning_rate"),
        ("stage: 2", r"training\.deepspeed\.zero_optimization\.stage"),
        (", 2]", r"training\.deepspeed\.comms_logger\.prof_ops\[1\]"),
    ],
)
def test_a_file_with_such_a_number_is_named_with_the_key(
    tmp_path: Path, number: str, where: str, key: str
) -> None:
    (tmp_path / "experiments").mkdir()
    wrong = where.replace("1e-4", number).replace("2", number)
    (tmp_path / "experiments/one.yaml").write_text(EXPERIMENT.replace(where, wrong))
    with pytest.raises(ConfigError, match=rf"experiments/one\.yaml: '{key}'"):
        load_trained("one", tmp_path)


def test_snakemakes_values_are_looked_at_too() -> None:
    with pytest.raises(ConfigError, match=r"--config: 'dev_rows'"):
        load_workflow({"corpus": "demo", "experiments": ["a"], "dev_rows": math.inf})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("options", ['{"seed": %s}', '{"seed": [{"deep": %s}]}'])
def test_options_with_such_a_number_are_refused(
    number: str, options: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = [
        "synthesize",
        "--source",
        "fr",
        "--pairs",
        "fr_en",
        "--output",
        str(tmp_path / "summary.json"),
    ]
    assert main([*arguments, "--options", options % number]) == 2
    assert "--options: 'seed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_options_in_order_are_taken() -> None:
    options = steps.DecodeOptions.model_validate(json.loads('{"dev_rows": 3}'))
    assert options.dev_rows == 3
