"""Training on real parts: DeepSpeed ZeRO-2 on two gloo processes, started through submitit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from llast.config.steps import Machine, TrainSpec
from llast.errors import DataError
from llast.launch.train import launch

pytestmark = pytest.mark.slow

Rows = tuple[Path, list[Path]]
TWO = Machine(tasks_per_node=2)


def spec(steps: int = 8, dropout: float = 0.1, **training: Any) -> TrainSpec:
    lora = {"rank": 4, "alpha": 8, "dropout": dropout}
    options: dict[str, Any] = {
        "max_steps": steps,
        "rows_per_update": 7,
        "learning_rate": 2e-3,
        "checkpoints": 2,
    }
    options |= {"precision": "float32", "save_every": 3} | training
    return TrainSpec.model_validate(
        {
            "encoder": {"base": "./whisper", "window": "clip", "lora": lora},
            "adaptor": {"stack": 4},
            "llm": {"base": "./llama", "lora": lora},
            "mixture": {"pairs": ["fr_en"]},
            "training": options,
        }
    )


def train(
    bases: Path, rows: Rows, folder: Path, options: TrainSpec, machine: Machine = TWO
) -> dict[str, Any]:
    launch("tiny", 1, *rows, bases / "whisper", bases / "llama", folder / "run.json", options, machine)
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return run


def weights(folder: Path, run: dict[str, Any]) -> dict[str, torch.Tensor]:
    return load_file(folder / run["checkpoints"][-1]["folder"] / "adapter" / "adapter_model.safetensors")


def records(folder: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
    lines = (folder / run["folder"] / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def reference(base_models: Path, training_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    train(base_models, training_rows, folder, spec())
    return folder


def test_run_leaves_checkpoints_metrics_and_a_manifest(reference: Path) -> None:
    run = json.loads((reference / "run.json").read_text())
    assert [c["step"] for c in run["checkpoints"]] == [4, 8]
    metrics = records(reference, run)
    assert [record["step"] for record in metrics] == list(range(1, 9))
    assert metrics[-1]["loss"] < metrics[0]["loss"]
    assert all(record["rows"] == 7 for record in metrics[:5]), (
        "updates have rows_per_update rows on any rank count"
    )
    tensors = weights(reference, run)
    assert any("lora_A" in name and "encoder" in name for name in tensors)
    assert any(
        "lora_B" in name and "llm" in name and tensor.abs().max() > 0 for name, tensor in tensors.items()
    )
    assert any("adaptor" in name for name in tensors)
    checkpoints = reference / run["folder"] / "checkpoints"
    assert not (checkpoints / "step-000003").exists(), "states only for resuming are removed"
    assert not (checkpoints / "step-000004" / "engine").exists(), "engine state is kept for the newest two"
    engine = sum(file.stat().st_size for file in (checkpoints / "step-000008" / "engine").iterdir())
    bases = sum(tensor.numel() for tensor in tensors.values()) * 4
    assert engine < 6 * bases + 200_000, "frozen bases are not saved again"


def test_a_second_call_starts_nothing(
    base_models: Path, training_rows: Rows, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("adapter_model.safetensors")}
    monkeypatch.setattr("llast.launch.job.submit", None)
    train(base_models, training_rows, reference, spec())
    assert {path: path.stat().st_mtime_ns for path in reference.rglob("adapter_model.safetensors")} == before


@pytest.mark.parametrize("machine", [Machine(tasks_per_node=1), TWO])
def test_weights_do_not_depend_on_ranks_or_micro_batches(
    base_models: Path, training_rows: Rows, tmp_path: Path, machine: Machine
) -> None:
    whole = train(base_models, training_rows, tmp_path / "a", spec(dropout=0.0), Machine(tasks_per_node=2))
    split = train(
        base_models, training_rows, tmp_path / "b", spec(dropout=0.0, tokens_per_micro_batch=200), machine
    )
    expected = weights(tmp_path / "a", whole)
    for name, tensor in weights(tmp_path / "b", split).items():
        torch.testing.assert_close(tensor, expected[name], atol=2e-5, rtol=1e-3)


LAUNCH = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.training.test_training import TWO, spec, train
from llast.errors import UserError
try:
    train(Path({bases!r}), (Path({mix!r}), [Path({audio!r})]), Path({folder!r}), spec({steps}))
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def hear_ctrl_c() -> None:
    """A shell's background jobs ignore it, and so would all that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(bases: Path, rows: Rows, folder: Path, steps: int, **environment: str) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[2])
    code = LAUNCH.format(
        tests=tests,
        bases=str(bases),
        mix=str(rows[0]),
        audio=str(rows[1][0]),
        folder=str(folder),
        steps=steps,
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=hear_ctrl_c,
    )


def wait_for_step(folder: Path, step: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for path in folder.glob("*/metrics.jsonl"):
            if path.read_text().count("\n") >= step:
                return
        time.sleep(0.02)
    raise AssertionError(f"training did not reach step {step}")


def ranks_of(launcher: psutil.Process) -> list[psutil.Process]:
    return [p for p in launcher.children(recursive=True) if "submitit.core._submit" in " ".join(p.cmdline())]


STEPS = 120


def test_a_finished_run_whose_adapters_were_cut_is_not_finished(
    base_models: Path, training_rows: Rows, tmp_path: Path, reference: Path
) -> None:
    shutil.copytree(reference, tmp_path, dirs_exist_ok=True)
    found = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").unlink()
    first, last = (tmp_path / checkpoint["folder"] / "adapter" for checkpoint in found["checkpoints"])
    file = next(last.glob("*.safetensors"))
    os.truncate(file, file.stat().st_size - 1)
    train(base_models, training_rows, tmp_path, spec())
    same_end(tmp_path, reference)

    (tmp_path / "run.json").unlink()
    file = next(first.glob("*.safetensors"))
    file.unlink()
    with pytest.raises(DataError, match=rf"{file} .*delete {first.parents[1]} "):
        train(base_models, training_rows, tmp_path, spec())


@pytest.fixture(scope="module")
def long_reference(base_models: Path, training_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    train(base_models, training_rows, folder, spec(STEPS))
    return folder


def same_end(folder: Path, reference: Path) -> None:
    run, expected = (json.loads((place / "run.json").read_text()) for place in (folder, reference))
    wanted = weights(reference, expected)
    for name, tensor in weights(folder, run).items():
        assert torch.equal(tensor, wanted[name]), name
    assert [r["loss"] for r in records(folder, run)] == [r["loss"] for r in records(reference, expected)]


def test_killed_rank_is_named_and_the_next_run_ends_bit_equal(
    base_models: Path, training_rows: Rows, tmp_path: Path, long_reference: Path
) -> None:
    launcher = start(base_models, training_rows, tmp_path, STEPS)
    wait_for_step(tmp_path, 10)
    ranks = ranks_of(psutil.Process(launcher.pid))
    assert len(ranks) == 2
    victim = next(p for p in ranks if p.environ().get("SUBMITIT_LOCAL_GLOBALID") == "1")
    victim.kill()
    _, message = launcher.communicate(timeout=300)
    assert launcher.returncode == 4, message
    assert "rank 1: " in message
    assert "1_log.err" in message
    assert not (tmp_path / "run.json").exists()
    train(base_models, training_rows, tmp_path, spec(STEPS))
    same_end(tmp_path, long_reference)


def test_ctrl_c_ends_every_process_and_the_next_run_ends_bit_equal(
    base_models: Path, training_rows: Rows, tmp_path: Path, long_reference: Path
) -> None:
    launcher = start(base_models, training_rows, tmp_path, STEPS)
    wait_for_step(tmp_path, 10)
    processes = psutil.Process(launcher.pid).children(recursive=True)
    launcher.send_signal(2)
    launcher.communicate(timeout=300)
    assert not (tmp_path / "run.json").exists()
    assert not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    train(base_models, training_rows, tmp_path, spec(STEPS))
    same_end(tmp_path, long_reference)


def test_a_killed_launcher_leaves_the_job_and_the_next_one_follows_it(
    base_models: Path, training_rows: Rows, tmp_path: Path, long_reference: Path
) -> None:
    launcher = start(base_models, training_rows, tmp_path, STEPS)
    wait_for_step(tmp_path, 5)
    launcher.kill()
    launcher.wait(timeout=300)  # its standard error stays open in the job
    (job,) = [json.loads(path.read_text()) for path in tmp_path.glob("*/job.json")]
    second = start(base_models, training_rows, tmp_path, STEPS)
    _, message = second.communicate(timeout=300)
    assert second.returncode == 0, message
    assert str(job["job_id"]) in message
    same_end(tmp_path, long_reference)


def test_no_compiler_is_needed(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    job = start(
        base_models, training_rows, tmp_path / "run", 2, PATH=str(empty), TORCH_EXTENSIONS_DIR=str(tmp_path)
    )
    _, message = job.communicate(timeout=300)
    assert job.returncode == 0, message
    assert (tmp_path / "run" / "run.json").exists()
    assert not list(tmp_path.rglob("*.so")), "something was compiled"


def test_a_changed_spec_leaves_the_old_folder_and_a_changed_file_is_refused(
    base_models: Path,
    training_rows: Rows,
    tmp_path: Path,
    reference: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = json.loads((reference / "run.json").read_text())["folder"]
    shutil.copytree(reference / old, tmp_path / old)
    run = train(base_models, training_rows, tmp_path, spec(2))
    assert run["folder"] != old
    assert (tmp_path / old / "checkpoints").exists()
    assert run["earlier"] == {old: ["training.max_steps (there 8, now 2)"]}
    said = capsys.readouterr().err
    assert old in said
    assert "training.max_steps" in said
    path = tmp_path / run["folder"] / "spec.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    with pytest.raises(DataError, match=r"\bseed \(there 2, now 1\)"):
        train(base_models, training_rows, tmp_path, spec(2))


def test_zero_3_learns_the_same(base_models: Path, training_rows: Rows, tmp_path: Path) -> None:
    two = train(base_models, training_rows, tmp_path / "two", spec(4, dropout=0.0))
    stage = {"zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0}}
    three = train(base_models, training_rows, tmp_path / "three", spec(4, dropout=0.0, deepspeed=stage))
    expected = weights(tmp_path / "two", two)
    found = weights(tmp_path / "three", three)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], atol=2e-5, rtol=1e-3)
