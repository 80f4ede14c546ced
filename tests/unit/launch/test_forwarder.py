"""What the launcher says while metrics cannot be sent on."""

import time
from pathlib import Path

import pytest

from llast.launch import follow
from llast.training.run_folder import RunFolder


@pytest.mark.slow  # imports MLflow
def test_a_broken_record_is_not_blamed_on_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text("{\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setattr(follow, "FORWARD_EVERY_S", 0.01)
    forwarder = follow.Forwarder(run, "tiny", 1, "key")
    forwarder.start()
    said = ""
    deadline = time.monotonic() + 60
    while not said and time.monotonic() < deadline:
        time.sleep(0.05)
        said = capsys.readouterr().err
    time.sleep(0.1)
    forwarder.stop()
    said += capsys.readouterr().err
    assert str(run.metrics) in said
    assert "does not answer" not in said
    assert said.count("train: ") == 1, "it is said once"
