"""What a disk did not take, by whichever library wrote: full, over a quota, read-only, or a file grew too large."""

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Refusal:
    """A way in which a disk does not take what is written.

    Attributes:
        codes: its error numbers.
        words: what libraries that keep no error number say of it.
        says: what it is.
        remedy: what to do.
    """

    codes: tuple[int, ...]
    words: tuple[str, ...]
    says: str
    remedy: str

    @property
    def _signs(self) -> tuple[str, ...]:
        return (*map(os.strerror, self.codes), *self.words)

    def said_in(self, text: str) -> bool:
        """Whether a text, of an error or of a log, tells of it."""
        return any(sign in text for sign in self._signs)


PROBE_BYTES = 64 * 1024
"""What a message, a journal or a page of a database takes."""

AGAIN = "run it again: it goes on with what is complete."
FULL = (
    Refusal(
        (errno.ENOSPC,),
        ("disk is full", "No usable temporary directory"),
        "the disk is full",
        f"Make room and {AGAIN}",
    ),
    Refusal((errno.EDQUOT,), (), "the disk is full: the quota on it is used up", f"Make room and {AGAIN}"),
)
REFUSALS = (
    *FULL,
    Refusal(
        (errno.EROFS,),
        ("readonly database",),
        "the file system is read-only",
        f"Have it mounted for writing, or work in another folder, and {AGAIN}",
    ),
    Refusal(
        (errno.EFBIG,),
        (),
        "a file may not grow that large",
        f"Raise the limit (ulimit -f unlimited, where the job starts) and {AGAIN}",
    ),
    # torch's writer does not say why it could not write.
    Refusal(
        (),
        ("unexpected pos", "PytorchStreamWriter failed", "iostream error"),
        "the disk is full, or a quota or the limit on a file's size (ulimit -f) is reached",
        f"Make room and {AGAIN}",
    ),
)


def refusal_in(error: BaseException) -> Refusal | None:
    """Which of them an exception tells of, if any."""
    code = error.errno if isinstance(error, OSError) else None
    return next((refusal for refusal in REFUSALS if code in refusal.codes), None) or refusal_said(
        [str(error)]
    )


def refusal_said(lines: Iterable[str], among: Sequence[Refusal] = REFUSALS) -> Refusal | None:
    """Which of them the lines of a log tell of, if any; the first."""
    said = (refusal for line in lines for refusal in among if refusal.said_in(line))
    return next(said, None)


def refusal_of(folder: Path, size: int = 0) -> Refusal | None:
    """Which of them meets who writes to a folder now; for libraries that say nothing.

    Args:
        folder: an existing folder.
        size: size that a file of it has, and has to grow beyond.
    """
    import tempfile  # not needed by the help, which has to be quick

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(os.urandom(PROBE_BYTES))
            file.flush()
            os.pwrite(file.fileno(), b"\0", size + PROBE_BYTES)
            os.fsync(file.fileno())
    except OSError as error:
        return refusal_in(error)
    return None
