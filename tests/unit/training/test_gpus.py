"""What a machine with GPUs does that this one does not have: where only their number or their errors matter."""

import pynvml  # type: ignore[import-untyped]
import pytest
import torch

from llast.errors import ConfigError
from llast.training.engine import init_process_group
from llast.training.usage import usage


def test_two_ranks_on_one_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"2 .*1 GPU"):
        init_process_group()


def test_a_driver_that_does_not_answer_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def utilization(device: torch.device) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(torch.cuda, "utilization", utilization)
    found = usage(torch.device("cuda"))
    assert "gpu_percent" not in found
    assert found["memory_mb"] > 0
