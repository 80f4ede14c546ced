import numpy as np
import pytest


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [(0.1 * random.standard_normal(length)).astype(np.float32) for length in (31_000, 9_321, 640)]
