"""Temporary files: of killed processes they go, of living ones and of users they stay."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

from llast.artifacts import atomic_path, write_text
from llast.temporary import sweep, temporary_folder

FORK = multiprocessing.get_context("fork")
WRITERS, FILES = 6, 60


def write_for_ever(folder: Path, name: str, begun: Event) -> None:
    with atomic_path(folder / f"{name}.json") as file, temporary_folder(folder / name) as place:
        file.write_text("half")
        (place / "weights").write_text("half")
        begun.set()
        multiprocessing.Event().wait()


@contextmanager
def writer(folder: Path, name: str) -> Iterator[multiprocessing.process.BaseProcess]:
    begun = FORK.Event()
    process = FORK.Process(target=write_for_ever, args=(folder, name, begun))
    process.start()
    assert begun.wait(20)
    yield process
    process.kill()
    process.join()


def names(folder: Path) -> set[str]:
    """What the temporary files and folders there are for, and other names as they are."""
    return {path.name.partition(".llast-")[0] for path in folder.iterdir()}


def test_what_a_kill_left_goes_with_the_next_file(tmp_path: Path) -> None:
    (tmp_path / ".config").touch()
    with writer(tmp_path, "dead"):
        pass
    assert {".config", ".dead"} == names(tmp_path)
    with writer(tmp_path, "alive"):
        assert {".config", ".alive"} == names(tmp_path)
        assert len(list(tmp_path.glob(".alive*"))) == 2
        write_text(tmp_path / "summary.json", "{}")
        assert len(list(tmp_path.glob(".alive*"))) == 2
    sweep(tmp_path)
    assert {".config", "summary.json"} == names(tmp_path)


def write_many(folder: Path, number: int) -> None:
    for file in range(FILES):
        write_text(folder / f"{number}-{file}.txt", "x" * 100)
        with temporary_folder(folder / "place") as place:
            (place / "file").write_text("x")


def test_many_writers_take_nothing_from_each_other(tmp_path: Path) -> None:
    """Each sweeps where the others make new files."""
    writers = [FORK.Process(target=write_many, args=(tmp_path, number)) for number in range(WRITERS)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert [process.exitcode for process in writers] == [0] * WRITERS
    assert len(list(tmp_path.glob("*.txt"))) == WRITERS * FILES
    assert len(list(tmp_path.iterdir())) == WRITERS * FILES
