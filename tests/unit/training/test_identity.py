"""What a run's identity depends on, and that nothing has been forgotten in the table of effects."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from llast.artifacts import write_json
from llast.artifacts.corpus import FetchModelDetails, FetchModelSummary, MixSummary, ResampleSummary
from llast.artifacts.training import CheckpointRecord
from llast.config.schema import describe
from llast.config.steps import Machine, TrainSpec
from llast.launch.train import launch
from llast.model.bases import base_identity
from llast.training.identity import EFFECTS, changes_since, identity_of, rounds, settings_of
from tests.training_ranks import tiny_spec

Rows = tuple[Path, list[Path]]


def leaves(model: type[BaseModel], prefix: str) -> list[str]:
    names = [key.name for key in describe(model, prefix)]
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def test_the_table_has_every_argument_and_every_option_of_a_training() -> None:
    models: dict[str, type[BaseModel]] = {"options": TrainSpec, "machine": Machine}
    known = {
        name
        for argument in inspect.signature(launch).parameters
        for name in (leaves(models[argument], f"{argument}.") if argument in models else [argument])
    }
    assert set(EFFECTS) == known


def with_option(options: TrainSpec, name: str, value: Any) -> TrainSpec:
    changed = json.loads(options.model_dump_json())
    *keys, last = name.split(".")
    place = changed
    for key in keys:
        place = place[key]
    place[last] = value
    return TrainSpec.model_validate(changed)


@pytest.fixture
def inputs(base_models: Path, training_rows: Rows, tmp_path: Path) -> tuple[Path, list[Path], Path, Path]:
    """Copies that a test may change."""
    for name, folder in (
        ("mix", training_rows[0].parent),
        ("fr", training_rows[1][0].parent),
        ("whisper", base_models / "whisper"),
        ("llama", base_models / "llama"),
    ):
        shutil.copytree(folder, tmp_path / name)
    return (
        tmp_path / "mix/summary.json",
        [tmp_path / "fr/summary.json"],
        tmp_path / "whisper",
        tmp_path / "llama",
    )


@pytest.mark.parametrize(
    ("name", "value", "other_run"),
    [
        ("encoder.window", "30s", True),
        ("encoder.lora", None, True),
        ("llm.lora.rank", 5, True),
        ("training.learning_rate", 1e-3, True),
        ("training.max_steps", 10, True),
        ("training.rows_per_update", 8, True),
        ("training.checkpoints", 2, True),
        ("training.precision", "bf16", True),
        ("training.deepspeed", {"zero_optimization": {"stage": 1}}, True),
        ("encoder.base", "./elsewhere/whisper", False),
        ("mixture.pairs", ["fr_en", "de_en"], False),
        ("mixture.dev_rows", 8, False),
        ("training.save_every", 7, False),
        ("training.dev_every", 7, False),
        ("training.loss_limit", 7.0, False),
        ("training.tokens_per_micro_batch", 7, False),
        ("training.gradient_checkpointing", True, False),
        ("training.compile", True, False),
    ],
)
def test_options(inputs: tuple[Path, list[Path], Path, Path], name: str, value: Any, other_run: bool) -> None:
    before, after = tiny_spec(), with_option(tiny_spec(), name, value)
    assert (identity_of(1, *inputs, after) != identity_of(1, *inputs, before)) is other_run
    by_content = EFFECTS[f"options.{name}"] == "by content" if not name.endswith("lora") else False
    settings = [settings_of(options, Machine(), 2) for options in (before, after)]
    assert (settings[0] != settings[1]) is not (other_run or by_content)


def test_epochs_count_only_without_max_steps(inputs: tuple[Path, list[Path], Path, Path]) -> None:
    for max_steps, other_run in ((9, False), (None, True)):
        options = with_option(tiny_spec(), "training.max_steps", max_steps)
        other = with_option(options, "training.epochs", 2.0)
        assert (identity_of(1, *inputs, options) != identity_of(1, *inputs, other)) is other_run


@pytest.mark.parametrize("name", [name for name in EFFECTS if name.startswith("machine.")])
def test_of_the_machine_what_rounds_is_on_record(name: str) -> None:
    before = Machine()
    name, effect = name.removeprefix("machine."), EFFECTS[name]
    value = "slurm" if name == "cluster" else "other" if isinstance(getattr(before, name), str) else 7
    after = before.model_copy(update={name: value})
    settings = [settings_of(tiny_spec(), machine, machine.ranks) for machine in (before, after)]
    record = CheckpointRecord(step=3, identity={}, settings=settings[0], changes=[], first_loss=1.0)
    changes = changes_since(record, settings[1])
    assert [rounds(change) for change in changes] == ([True] if effect == "rounding" else [])


def test_what_is_read_decides_not_where_it_lies(inputs: tuple[Path, list[Path], Path, Path]) -> None:
    mix, audio, encoder, llm = inputs
    options = tiny_spec()
    identities = [identity_of(1, *inputs, options)]

    def differs() -> bool:
        identities.append(identity_of(1, *inputs, options))
        return identities[-1] != identities[-2]

    assert not differs()
    summary = MixSummary.read(mix)
    details = summary.details.model_copy(update={"dev_rows": 1})
    rewritten = summary.model_copy(update={"seconds": 1.0, "details": details})
    rewritten.write(mix)
    (mix.parent / "dev.arrow").write_bytes(b"other dev rows")
    assert not differs()
    others = [
        llm / name
        for name in ("chat_template.jinja", "merges.txt", "tokenizer.model", "generation_config.json")
    ]
    weights = encoder / "model.safetensors"
    for changed in (next(mix.parent.glob("rows*")), weights, llm / "tokenizer.json", *others):
        with changed.open("ab") as file:
            file.write(b" ")
        assert differs(), changed
    resampled = ResampleSummary.read(audio[0])
    for field, matters in (("store", False), ("audio", True)):
        other = resampled.details.model_copy(update={field: "other"})
        resampled.model_copy(update={"details": other}).write(audio[0])
        assert differs() is matters, field
    assert identity_of(2, *inputs, options) != identities[-1]


def test_an_exported_folder_of_adapters_is_its_adapters_and_its_bases(
    base_models: Path, tmp_path: Path
) -> None:
    bases, exported = shutil.copytree(base_models, tmp_path / "bases"), tmp_path / "exported"
    adapter = exported / "adapter" / "adapter_model.safetensors"
    adapter.parent.mkdir(parents=True)
    adapter.write_bytes(b"adapters")
    named = {"encoder": str(bases / "whisper"), "llm": str(bases / "llama")}
    write_json(exported / "config.json", {"bases": named})
    identity = base_identity(str(exported), exported)
    for changed in (adapter, bases / "llama/model.safetensors", bases / "whisper/model.safetensors"):
        with changed.open("ab") as file:
            file.write(b" ")
        assert base_identity(str(exported), exported) != identity, changed
        identity = base_identity(str(exported), exported)
    shutil.move(exported, tmp_path / "moved")
    assert base_identity(str(tmp_path / "moved"), tmp_path / "moved") == identity


def test_a_base_of_the_hub_is_its_reference_and_the_commit_that_was_fetched(
    inputs: tuple[Path, list[Path], Path, Path],
) -> None:
    options = with_option(tiny_spec(), "llm.base", "org/name@main")
    unknown = identity_of(1, *inputs, options)
    assert unknown["llm.base"] == "org/name@main"
    found = []
    for commit in ("abc", "abc", "def"):
        details = FetchModelDetails(reference="org/name@main", commit=commit, files=[])
        FetchModelSummary(version=1, rows_in=1, rows_out=1, details=details).write(inputs[3] / "summary.json")
        found.append(identity_of(1, *inputs, options))
    assert found[0] == found[1] != found[2]
