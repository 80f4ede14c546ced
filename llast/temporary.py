"""Temporary files and folders that do not outlive a killed process for long: the next writer beside them deletes them.

Each is locked (flock) by the process that writes it. What is not locked belongs to nobody any more, whatever its age.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MARK = ".llast-"
"""In the names of all of them, after that of what they become: other hidden files are a user's."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What flock says on a file system that has no locks."""

OLD_S = 24 * 3600.0
"""Where the file system has no locks, what was not changed for so long is taken to be nobody's."""


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """An empty file in the folder of `path`, with its suffix for writers that look at it; deleted at the end if it is
    still there."""

    def make() -> str:
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem[:40]}{MARK}", path.parent)
        os.close(handle)
        return name

    with _locked(path.parent, make) as file:
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """An empty folder beside a path, deleted at the end with all that is still in it."""
    prefix = f".{beside.name[:40]}{MARK}"
    with _locked(beside.parent, lambda: tempfile.mkdtemp(prefix=prefix, dir=beside.parent)) as folder:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Delete what killed processes have left in a folder; what a living one writes stays."""
    for stray in folder.glob(f".*{MARK}*"):
        with contextlib.suppress(OSError):  # another process sweeps, too, or it is another user's
            handle = _open(stray)
            try:
                if _lock(handle, otherwise=time.time() - stray.stat().st_mtime > OLD_S):
                    shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
            finally:
                os.close(handle)


@contextlib.contextmanager
def _locked(parent: Path, make: Callable[[], str]) -> Iterator[Path]:
    """What `make` makes in a folder, locked; before that, the folder is swept."""
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    while True:
        new = Path(make())
        try:
            handle = _open(new)
        except FileNotFoundError:  # another process has swept it before it was locked
            continue
        try:
            if _lock(handle, otherwise=True) and _leads_to(new, handle):
                yield new
                return
        finally:
            os.close(handle)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)


def _leads_to(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _lock(handle: int, otherwise: bool) -> bool:
    """Whether this process could lock it; `otherwise`: what to take for it where there are no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (*NO_LOCKS, errno.EBADF):  # NFS locks only what is open for writing: no folders
            raise
        return otherwise
    return True
