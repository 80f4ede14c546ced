"""`kill -9` at any moment of a fetch costs nothing and changes nothing."""

import json
import multiprocessing
import random
import time
from pathlib import Path

import pytest

from llast.config.steps import FetchOptions
from llast.corpus.fetch import fetch
from llast.corpus.sources.url import UrlSource
from tests.unit.corpus.conftest import Release
from tests.unit.corpus.server import Server

pytestmark = pytest.mark.slow

KILLS = 20


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is left, without what the clock decides and the empty locks."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }
    summary = json.loads(files["out/summary.json"])
    summary["seconds"] = 0
    text = json.dumps(summary).replace(str(folder), "")
    return {**files, "out/summary.json": text.encode()}


def start(folder: Path, source: UrlSource) -> multiprocessing.process.BaseProcess:
    """The step in a process of its own; from a server that has imported it, so that most of its life is its work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["llast.corpus.fetch"])
    arguments = ("fr", ["fr_en", "fr_de"], folder / "out", FetchOptions(source=source), folder / "downloads")
    process = context.Process(target=fetch, args=arguments)
    process.start()
    return process


def finish(folder: Path, source: UrlSource) -> float:
    """Seconds that an undisturbed run takes."""
    began = time.monotonic()
    process = start(folder, source)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def test_killed_twenty_times_at_random_moments(tmp_path: Path, server: Server) -> None:
    random_bytes = random.Random(1)
    release = Release("fr")
    for number in range(40):
        label = ("train", "dev", "test")[number % 3]
        for pair in ("fr_en", "fr_de"):
            release.add(
                f"{number}.mp3", random_bytes.randbytes(50_000), f"n{number}", f"m{number}", label, pair
            )
    release.write(tmp_path / "files")
    for path in (tmp_path / "files").iterdir():
        server.files[path.name] = path.read_bytes()
    server.pause_s = 0.005  # 2 MB take a sixth of a second
    source = UrlSource(audio=server.url("{lang}.tar.gz"), tables=server.url("covost_v2.{pair}.tsv.tar.gz"))
    finish(tmp_path / "warm", source)
    seconds = finish(tmp_path / "undisturbed", source)
    expected = contents(tmp_path / "undisturbed")
    moments = random.Random(2)
    kills = runs = 0
    while kills < KILLS:
        folder = tmp_path / f"run{runs}"
        process = start(folder, source)
        process.join(moments.uniform(0, 1.2 * seconds))
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
        if (folder / "out" / "summary.json").exists():  # the next kills meet a fetch from its beginning
            assert contents(folder) == expected
            runs += 1
    finish(tmp_path / f"run{runs}", source)
    assert contents(tmp_path / f"run{runs}") == expected
    for folder in (tmp_path / f"run{run}" for run in range(runs + 1)):
        assert not [path for path in folder.rglob("*") if ".part" in path.name]
