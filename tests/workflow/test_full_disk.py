"""A disk that really fills up, and cannot be written at all: one message, nothing half-written that a later run would
trust, and then it goes on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = ["synthesize", "--source", "fr", "--pairs", "fr_en", "--options"]
OPTIONS = '{"grammar": "sentences", "train": 30, "dev": 2, "test": 2, "dirt": false}'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a small file system: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def llast(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llast", *arguments], capture_output=True, text=True, check=False
    )


def test_a_full_disk(small_disk: Path) -> None:
    summary = small_disk / "fr" / "summary.json"
    arguments = [*COMMAND, OPTIONS, "--output", str(summary), "--log", str(small_disk / "fr.log")]
    failed = llast(*arguments)
    assert failed.returncode == 3, failed.stderr
    (message,) = [line for line in failed.stderr.splitlines() if line.startswith("llast synthesize: ")]
    assert "disk" in message
    assert "Traceback" not in failed.stderr
    assert not summary.exists()
    assert list((small_disk / "fr").glob("*.tar.gz")) == []

    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    failed = llast(*arguments)
    assert failed.returncode == 3, failed.stderr
    assert "read-only" in failed.stderr

    subprocess.run(["mount", "-o", "remount,rw,size=20m", str(small_disk)], check=True)
    assert llast(*arguments).returncode == 0
    assert summary.exists()
