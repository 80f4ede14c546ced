"""Disks that really take no more, and every library that writes to them: one line, exit 3, what to do."""

import contextlib
import io
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from llast import cli
from llast.artifacts import write_text
from llast.cli.arguments import Verb
from llast.disk import refusal_of

BYTES = 2**20
TABLE = pa.table({"bytes": [os.urandom(BYTES)]})


def torch_file(path: Path) -> None:
    torch.save({"weights": torch.zeros(BYTES)}, path)


def safetensors_file(path: Path) -> None:
    save_file({"weights": torch.zeros(BYTES)}, path)


def arrow_file(path: Path) -> None:
    with pa.ipc.new_file(str(path), TABLE.schema) as out:
        out.write_table(TABLE)


def text_file(path: Path) -> None:
    write_text(path, "x" * BYTES)


def csv_file(path: Path) -> None:
    pd.DataFrame({"text": ["x" * BYTES]}).to_csv(path)


def copied_folder(path: Path) -> None:
    with tempfile.TemporaryDirectory() as source:
        os.truncate(tempfile.mkstemp(dir=source)[1], BYTES)
        shutil.copytree(source, path)


def archive(path: Path) -> None:
    with tarfile.open(path, "w:gz") as out:
        member = tarfile.TarInfo("clip.mp3")
        member.size = BYTES
        out.addfile(member, io.BytesIO(os.urandom(BYTES)))


WRITERS = [torch_file, safetensors_file, arrow_file, text_file, csv_file, copied_folder, archive]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def short_files(folder: Path) -> Iterator[Path]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES // 8, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


PLACES: dict[str, tuple[Callable[[Path], contextlib.AbstractContextManager[Path]], str]] = {
    "full": (lambda folder: mounted(folder, "size=128k"), "the disk is full"),
    "read-only": (lambda folder: mounted(folder, "size=4m,ro"), "read-only"),
    "short": (short_files, "ulimit -f"),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_writer(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "VERBS", (Verb("write", "Write.", "step:write"),))
    situation, named = PLACES[place]
    with situation(tmp_path) as folder:
        for write in WRITERS:
            monkeypatch.setattr(
                cli, "_load", lambda name, write=write: lambda: write(folder / write.__name__)
            )
            assert cli.main(["write"]) == 3, write.__name__
            (line,) = capsys.readouterr().err.splitlines()
            assert named in line, write.__name__
            assert "defect" not in line
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_asked_itself(place: str, tmp_path: Path) -> None:
    assert refusal_of(tmp_path) is None
    situation, named = PLACES[place]
    with situation(tmp_path) as folder:
        if place == "full":
            (folder / "rest").write_bytes(b"x" * 100 * 1024)
        refusal = refusal_of(folder, size=BYTES)
    assert refusal is not None
    assert named in refusal.says + refusal.remedy
    assert list(tmp_path.glob("tmp*")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_file_that_takes_no_message() -> None:
    """`llast ... > results.txt` on a full disk: the exit code tells what the message cannot."""
    command = [sys.executable, "-m", "llast", "config"]
    with Path("/dev/full").open("w") as full:
        assert subprocess.run([*command, "keys"], stdout=full, check=False).returncode == 3
        assert subprocess.run([*command, "check", "nowhere.yaml"], stderr=full, check=False).returncode == 2
