"""A run that was stopped and one that was not end in the same weights, bit by bit."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llast.errors import DataError
from llast.training.checkpoint import newest_whole, tensors_only
from llast.training.run_folder import RunFolder
from tests.training_ranks import on_ranks, tiny_spec, train_and_die, train_and_stop, write_spec

pytestmark = pytest.mark.slow

Rows = tuple[Path, list[Path]]


@pytest.fixture(scope="module")
def undisturbed(base_models: Path, training_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_spec(folder, tiny_spec(max_steps=8, save_every=2), base_models, training_rows)
    assert on_ranks(2, train_and_stop, folder) == [True, True]
    return folder


def steps_of(run_folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


def weights(run_folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(run_folder / f"checkpoints/step-{step:06d}/adapter/adapter_model.safetensors")


BF16_STAGE_3: dict[str, Any] = {"precision": "bf16", "deepspeed": {"zero_optimization": {"stage": 3}}}
STAGE_3 = {"zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0}}


@pytest.mark.parametrize(
    "training",
    [{}, {"deepspeed": STAGE_3}, {"precision": "bf16", "gradient_checkpointing": True}, BF16_STAGE_3],
    ids=["zero2", "zero3", "bf16", "bf16 zero3"],
)
def test_a_stop_that_one_rank_hears_saves_on_all_and_the_next_call_goes_on(
    base_models: Path, training_rows: Rows, tmp_path: Path, training: dict[str, Any]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        write_spec(folder, tiny_spec(**training), base_models, training_rows)
    assert on_ranks(2, train_and_stop, whole) == [True, True]
    assert on_ranks(2, train_and_stop, broken, 1, 3) == [False, False]
    assert RunFolder(broken).complete_steps() == steps_of(broken)[-1:] == [3], (
        "both ranks stopped after the third step"
    )
    assert on_ranks(2, train_and_stop, broken, 0, 2) == [False, False]
    assert on_ranks(2, train_and_stop, broken) == [True, True]
    assert steps_of(broken) == steps_of(whole) == list(range(1, 10))
    expected = weights(whole, 9)
    for name, tensor in weights(broken, 9).items():
        assert torch.equal(tensor, expected[name]), name


def test_a_checkpoint_of_another_run_is_refused(
    base_models: Path, training_rows: Rows, tmp_path: Path
) -> None:
    write_spec(tmp_path, tiny_spec(), base_models, training_rows)
    assert on_ranks(1, train_and_stop, tmp_path, 0, 2) == [False]
    write_spec(tmp_path, tiny_spec(learning_rate=1e-3), base_models, training_rows)
    (error,) = on_ranks(1, train_and_stop, tmp_path)
    assert error.startswith("DataError: ")
    assert "step-000002" in error
    assert "training.learning_rate (there 0.002, now 0.001)" in error
    write_spec(tmp_path, tiny_spec(), base_models, training_rows)
    marker = tmp_path / "checkpoints/step-000002/complete.json"
    marker.rename(tmp_path / "kept.json")
    RunFolder(tmp_path).resharded.mkdir()  # as a kill leaves it
    assert on_ranks(1, train_and_stop, tmp_path, 0, 1) == [False], "without its marker it counts for nothing"
    assert RunFolder(tmp_path).complete_steps() == steps_of(tmp_path) == [1]
    for left in (marker.parent, RunFolder(tmp_path).resharded):
        assert not left.exists(), "gigabytes that nothing reads"


@pytest.mark.parametrize(
    ("victim", "step", "saving", "left"),
    [(0, 5, False, [4]), (1, 5, False, [4]), (0, 4, True, [2]), (1, 6, True, [4])],
    ids=["rank 0", "rank 1", "rank 0 saving", "rank 1 saving"],
)
def test_kill_9_of_any_rank_costs_the_steps_since_the_last_checkpoint(
    base_models: Path,
    training_rows: Rows,
    tmp_path: Path,
    undisturbed: Path,
    victim: int,
    step: int,
    saving: bool,
    left: list[int],
) -> None:
    write_spec(tmp_path, tiny_spec(max_steps=8, save_every=2), base_models, training_rows)
    ends = on_ranks(2, train_and_die, tmp_path, victim, step, saving)
    assert ends[victim] == "the rank died"
    assert RunFolder(tmp_path).complete_steps()[-1:] == left
    assert on_ranks(2, train_and_stop, tmp_path) == [True, True]
    assert steps_of(tmp_path) == list(range(1, 9))
    expected = weights(undisturbed, 8)
    for name, tensor in weights(tmp_path, 8).items():
        assert torch.equal(tensor, expected[name]), name


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def test_a_broken_checkpoint_costs_the_steps_since_the_one_before(tmp_path: Path, undisturbed: Path) -> None:
    broken = shutil.copytree(undisturbed, tmp_path / "run")
    (state,) = (broken / "checkpoints/step-000008/engine").glob("*rank_1*optim*")
    cut(state)
    assert on_ranks(2, train_and_stop, broken) == [True, True]
    assert steps_of(broken) == list(range(1, 9))
    expected = weights(undisturbed, 8)
    for name, tensor in weights(broken, 8).items():
        assert torch.equal(tensor, expected[name]), name
    assert RunFolder(broken).complete_steps() == [6, 8], "the one that took its place is whole"
    for file in (broken / "checkpoints").glob("*/rng/rank0.pt"):
        cut(file)
    for error in on_ranks(2, train_and_stop, broken):
        assert error.startswith("DataError: ")
        assert f"{broken}/checkpoints/step-000008/rng/rank0.pt" in error
        assert f"Delete {broken}/checkpoints " in error


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """This process is the only rank."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def damaged(file: str, text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / file).write_text(text)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut(next(folder.glob("engine/*model_states.pt"))),
        lambda folder: next(folder.glob("rng/rank1.pt")).unlink(),
        lambda folder: cut(folder / "complete.json"),
        damaged("engine/zero_pp_rank_2_mp_rank_00_optim_states.pt", "somebody's"),
        damaged("adapter/adapter_config.json", "{}"),
    ],
    ids=["cut", "missing", "record", "another", "changed"],
)
def test_what_differs_from_the_record_is_no_checkpoint(
    tmp_path: Path, undisturbed: Path, damage: Callable[[Path], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(shutil.copytree(undisturbed, tmp_path / "run"))
    identity = run.checkpoint(6).record().identity
    assert [record.step for _, record in [newest_whole(run, identity) or []]] == [8]
    damage(run.checkpoint(8).path)
    assert [record.step for _, record in [newest_whole(run, identity) or []]] == [6]
    said = capsys.readouterr().err
    assert str(run.checkpoint(8).path) in said
    assert "from step 6" in said
    assert run.complete_steps() == [6]
    damage(run.checkpoint(6).path)
    with pytest.raises(DataError, match="step-000006"):
        newest_whole(run, identity)


class Hostile:
    """Unpickled, it makes a folder."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("harm",)


def test_what_is_no_tensor_is_not_unpickled(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the checkpoint's record says of its files."""
    monkeypatch.chdir(tmp_path)
    (state,) = (undisturbed / "checkpoints/step-000008/engine").glob("*rank_1*optim*")
    with tensors_only(state.parent):
        assert torch.load(state, weights_only=False)["optimizer_state_dict"]
    torch.save({"optimizer_state_dict": Hostile()}, tmp_path / "state.pt")
    with pytest.raises(DataError, match=f"{tmp_path}/engine .*mkdir"), tensors_only(tmp_path / "engine"):
        torch.load(tmp_path / "state.pt", weights_only=False)
    assert not Path("harm").exists()
    torch.load(tmp_path / "state.pt", weights_only=False)
    assert Path("harm").exists(), "it would have"


BF16_STAGE_1 = {"precision": "bf16", "deepspeed": {"zero_optimization": {"stage": 1}}}


@pytest.mark.parametrize(
    ("training", "counts", "tolerance"),
    [({}, (2, 3, 1), 2e-5), ({"deepspeed": STAGE_3}, (2, 3), 2e-5), (BF16_STAGE_1, (2, 1), 2e-3)],
    ids=["zero2", "zero3", "bf16 zero1"],
)
def test_another_number_of_ranks_goes_on(
    base_models: Path,
    training_rows: Rows,
    tmp_path: Path,
    training: dict[str, Any],
    counts: tuple[int, ...],
    tolerance: float,
) -> None:
    """Without dropout, which each rank draws for itself, the weights are the same but for rounding."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        write_spec(folder, tiny_spec(dropout=0.0, **training), base_models, training_rows)
    assert on_ranks(2, train_and_stop, whole) == [True, True]
    for ranks in counts[:-1]:
        before = RunFolder(broken).records()
        assert on_ranks(ranks, train_and_stop, broken, 0, 3) == [False] * ranks
        assert RunFolder(broken).records()[: len(before)] == before, "it went on, it did not begin anew"
    assert on_ranks(counts[-1], train_and_stop, broken) == [True] * counts[-1]
    changes = RunFolder(broken).checkpoint(9).record().changes
    assert [(change.step, change.before, change.after) for change in changes] == [
        (3 * number, *pair) for number, pair in enumerate(pairwise(counts), 1)
    ]
    assert not RunFolder(broken).resharded.exists()
    expected = weights(whole, 9)
    for name, tensor in weights(broken, 9).items():
        torch.testing.assert_close(tensor, expected[name], atol=tolerance, rtol=1e-3)
