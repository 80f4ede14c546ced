"""The other side of benchmarks/training_step.py: it does the same mathematics, only with more work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.usefixtures("benchmarks")
def test_rows_of_one_have_our_loss(tmp_path: Path) -> None:
    """Alone in a batch, a row has no gap before its text: the released forward pass and ours are the same function."""
    import torch
    from training.released import micro_batches  # type: ignore[import-not-found]
    from training.sides import Sides  # type: ignore[import-not-found]

    from llast.training.sampler import Example

    sides = Sides("tiny", "cpu", 6, 100_000, tmp_path)
    for row in range(6):
        (batch,) = micro_batches(sides.rows, [row], 80)
        example = Example(int(sides.rows.clip_of_row[row]), (row,))
        with torch.no_grad():
            ours = sides._model(**sides.rows.batch([example])).loss / sides.rows.target_tokens([example])
            assert float(sides._released(**batch)) == pytest.approx(float(ours), rel=1e-5)


@pytest.mark.slow
def test_it_runs_where_deepspeed_is_missing(tmp_path: Path) -> None:
    """And says for each window how many rows a second, how much memory and what share of the matrix rate."""
    hidden = tmp_path / "deepspeed"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    command = [sys.executable, str(BENCHMARKS / "training_step.py"), "--shape", "tiny"]
    result = subprocess.run(
        [*command, "--output", str(tmp_path / "x.json")],
        env={"PYTHONPATH": f"{tmp_path}:{BENCHMARKS.parent}", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    records = {record["name"]: record for record in json.loads((tmp_path / "x.json").read_text())}
    assert set(records) == {
        f"training_{what}_{window}_tiny"
        for what in ("step", "packing", "memory", "kernels", "utilisation")
        for window in ("30s", "clip")
    }
    assert records["training_step_clip_tiny"]["command"].endswith("training_step.py --shape tiny")
    assert all(not record["rates"] for record in records.values()), "a toy model says nothing about a plan"
