"""What reaches the model: the audio of a clip at the speed that the mixture says."""

import numpy as np
import pytest

from llast.training.dataset import at_speed


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
def test_speed_changes_length_and_pitch(speed: float) -> None:
    time = np.arange(16_000) / 16_000
    played = at_speed(np.sin(2 * np.pi * 400 * time).astype(np.float32), speed)
    assert len(played) == pytest.approx(16_000 / speed, abs=2)
    loudest = np.abs(np.fft.rfft(played)).argmax() * 16_000 / len(played)
    assert loudest == pytest.approx(400 * speed, abs=2)
