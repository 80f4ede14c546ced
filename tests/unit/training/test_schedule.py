"""How long a training is, where its checkpoints stand, and its learning rate."""

from itertools import pairwise
from pathlib import Path

import pytest

from llast.config.experiment import TrainingOptions
from llast.config.steps import Machine, TrainSpec
from llast.errors import ConfigError
from llast.launch.train import launch
from llast.training.schedule import checkpoint_steps, learning_rate, total_steps


def test_steps_and_checkpoints() -> None:
    assert total_steps(1000, TrainingOptions(epochs=1, rows_per_update=32)) == 32
    assert total_steps(1000, TrainingOptions(epochs=0.5, rows_per_update=32)) == 16
    assert total_steps(1000, TrainingOptions(max_steps=7)) == 7
    assert checkpoint_steps(300, 2) == [150, 300]
    assert checkpoint_steps(10, 3) == [3, 7, 10]


def test_more_checkpoints_than_the_rows_give_steps_are_refused(
    training_rows: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    mix, audio = training_rows
    training = {"training": {"epochs": 1, "rows_per_update": 40, "checkpoints": 2}, "adaptor": {}}
    bases = {"encoder": {"base": "./encoder"}, "llm": {"base": "./llm"}}
    spec = TrainSpec.model_validate({**training, **bases, "mixture": {"pairs": ["fr_en"]}})
    place = Path("base"), Path("base"), tmp_path / "run.json"
    with pytest.raises(ConfigError, match=r"'one': training\.checkpoints is 2, .* 40 rows give 1 steps"):
        launch("one", 1, mix, audio, *place, spec, Machine())
    assert list(tmp_path.iterdir()) == []


def test_learning_rate_warms_up_and_falls_to_almost_nothing() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, options) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert all(a > b for a, b in pairwise(rates[9:]))
    assert 0 < rates[-1] < 0.001
    assert learning_rate(1, 100, TrainingOptions(learning_rate=1.0, warmup=0)) == pytest.approx(
        1.0, abs=0.001
    )


def test_the_warm_up_is_the_released_one_but_for_where_it_starts() -> None:
    """mmengine's LinearLR from 1e-5 of the peak, as the released configuration has it, whose warm-up is 3 %."""
    steps = 8070
    options, warmup = TrainingOptions(learning_rate=1.0, warmup=0.03), int(0.03 * steps)
    released = [1e-5 + (1 - 1e-5) * step / (warmup - 1) for step in range(warmup)]
    ours = [learning_rate(step, steps, options) for step in range(1, warmup + 1)]
    assert max(abs(a - b) for a, b in zip(released, ours, strict=True)) < 1 / warmup
