"""A real Slurm of four pretend nodes on this machine, for the tests in this folder."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "cluster"
FOLDER = Path("/tmp/llast-slurm")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder of the running cluster; stopped at the end by the last test process, if one of them started it."""
    if os.environ.get("LLAST_TEST_SLURM") != "1":
        pytest.skip("installs and starts a Slurm on this machine, as root: only with LLAST_TEST_SLURM=1")
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "users.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        start()
        yield FOLDER
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run([SCRIPTS / "stop.sh"], check=True)


def start() -> None:
    """Start the cluster, or those nodes of it that have lost their power."""
    subprocess.run([SCRIPTS / "start.sh"], check=True, stdout=subprocess.DEVNULL)


def cut_power(node: str) -> None:
    """End a node with all that runs on it, at once."""
    os.kill(int((FOLDER / f"{node}.pid").read_text()), signal.SIGKILL)
