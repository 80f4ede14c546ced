"""A copy of standard error in a log file: Snakemake keeps the log, the user sees the progress."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

BAR_EVERY_S = 30.0
"""A progress bar draws over itself many times a second; the log takes it this often."""


class _Tee:
    """Standard error, copied line by line. Everything but writing is the terminal's own business."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self._terminal = terminal
        self._log = log
        self._line = ""
        self._last_bar = float("-inf")

    def write(self, text: str) -> int:
        self._terminal.write(text)
        for part in text.splitlines(keepends=True):
            self._line += part
            if part.endswith("\n"):
                self._keep()
            elif part.endswith("\r"):
                if time.monotonic() - self._last_bar >= BAR_EVERY_S and self._line.strip():
                    self._last_bar = time.monotonic()
                    self._keep()
                self._line = ""
        return len(text)

    def _keep(self) -> None:
        with contextlib.suppress(OSError):  # a full disk has its own message, on the terminal
            self._log.write(self._line.rstrip("\r\n") + "\n")
            self._log.flush()
        self._line = ""

    def flush(self) -> None:
        self._terminal.flush()

    def close_line(self) -> None:
        if self._line.strip():
            self._keep()

    def __getattr__(self, name: str) -> object:
        return getattr(self._terminal, name)


@contextlib.contextmanager
def tee(path: Path | None) -> Iterator[TextIO | None]:
    """Copy what Python writes to standard error into a new file at `path`, and yield it; None: do nothing."""
    if path is None:
        yield None
        return
    terminal = sys.stderr
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("w", encoding="utf-8")
    except OSError as error:
        print(f"the log {path} cannot be written ({error.strerror}); going on without", file=terminal)
        yield None
        return
    copy = _Tee(terminal, log)
    sys.stderr = copy
    try:
        yield log
    finally:
        copy.close_line()
        sys.stderr = terminal
        with contextlib.suppress(OSError):
            log.close()
