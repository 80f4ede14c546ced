"""Which ranks of a local job are gone: by their processes and by the results that submitit left, read and not run."""

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from llast.launch import watch


class Planted:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("EXECUTED",)


@pytest.mark.parametrize(
    ("result", "gone"),
    [
        (pickle.dumps(("success", None)), False),
        (pickle.dumps(("error", "Traceback")), True),
        (pickle.dumps(Planted()), True),
        (b"", True),
        (b"success", True),
        (None, True),
    ],
    ids=["success", "error", "planted", "empty", "no pickle", "missing"],
)
def test_a_rank_without_process_and_good_result_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: bytes | None, gone: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    job = SimpleNamespace(num_tasks=1, job_id="7", paths=SimpleNamespace(folder=tmp_path))
    if result is not None:
        (tmp_path / "7_0_result.pkl").write_bytes(result)
    assert watch._gone(job, os.getpid()) == ("rank 0 is gone" if gone else "")
    assert not (tmp_path / "EXECUTED").exists()
