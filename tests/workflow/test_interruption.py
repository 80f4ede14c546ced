"""Interrupting the workflow anywhere and running it again ends with the same table."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import Workplace

ARGUMENTS = ("--cores", "2", "--configfile", "tests/workflow/config_small/config.yaml", "--")
TABLE = "results/bleu_table.csv"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = Workplace(tmp_path_factory.mktemp("undisturbed"))
    result = place.snakemake(*ARGUMENTS, TABLE, timeout=600)
    assert result.returncode == 0, result.stdout[-4000:]
    return (place.folder / TABLE).read_bytes() + (place.folder / "results/scores.csv").read_bytes()


def hear_ctrl_c() -> None:
    """A shell's background jobs ignore it, and so would all that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(place: Workplace) -> "subprocess.Popen[bytes]":
    """Snakemake in a process group of its own, as a shell would start it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *ARGUMENTS, TABLE],
        cwd=place.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, "it ended before the moment to interrupt it"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ctrl_c(process: "subprocess.Popen[bytes]", place: Workplace) -> None:
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=300)
    assert not workers(place), "Ctrl-C leaves no process behind"


def kill_everything(process: "subprocess.Popen[bytes]", place: Workplace) -> None:
    """A machine that loses power."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=120)
    for worker in workers(place):
        worker.kill()
    psutil.wait_procs(workers(place), timeout=60)


def kill_a_worker(process: "subprocess.Popen[bytes]", place: Workplace) -> None:
    """The out-of-memory killer takes a process that computes."""
    ranks(place)[0].kill()
    process.wait(timeout=600)


def workers(place: Workplace) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(place.folder)
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def ranks(place: Workplace) -> list[psutil.Process]:
    """The training processes."""
    return [process for process in workers(place) if "submitit.core._submit" in " ".join(process.cmdline())]


def has(place: Workplace, pattern: str, least: int = 1) -> Callable[[], bool]:
    return lambda: len(list(place.folder.glob(pattern))) >= least


def trained_for(place: Workplace, steps: int) -> Callable[[], bool]:
    def condition() -> bool:
        files = place.folder.glob("results/small/seed1/train/*/metrics.jsonl")
        return any(path.read_text().count("\n") >= steps for path in files) and len(ranks(place)) == 2

    return condition


def test_interrupted_at_every_stage(undisturbed: bytes, tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    moments: list[tuple[Callable[[], bool], Callable[[subprocess.Popen[bytes], Workplace], None]]] = [
        (has(place, "resources/small/synthesize/*", 2), ctrl_c),
        (has(place, "resources/small/resample/*/*/shard-00002.arrow"), kill_everything),
        (has(place, "results/small/seed1/mix"), kill_everything),
        (trained_for(place, 5), ctrl_c),
        (trained_for(place, 25), kill_a_worker),
        (trained_for(place, 45), kill_everything),
        (has(place, "results/small/seed1/decode/checkpoint*/*/*/part-*.jsonl"), kill_everything),
        (has(place, "results/small/seed1/decode/checkpoint*/*/summary.json", 2), ctrl_c),
    ]
    for number, (condition, interrupt) in enumerate(moments):
        process = start(place)
        wait_for(condition, process)
        interrupt(process, place)
        assert not (tmp_path / TABLE).exists(), f"moment {number} came too late"
        if interrupt is kill_everything:
            # After a power cut Snakemake's lock is left, and it says so; --unlock is what it tells the user to do.
            place.snakemake(*ARGUMENTS[:-1], "--unlock")
    result = place.snakemake(*ARGUMENTS, TABLE, timeout=600)
    assert result.returncode == 0, result.stdout[-4000:]
    assert (tmp_path / TABLE).read_bytes() + (tmp_path / "results/scores.csv").read_bytes() == undisturbed
