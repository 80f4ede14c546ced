"""Download one file over HTTP so that an interruption costs nothing: resumed by range, retried, verified."""

import hashlib
import json
import os
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from email.message import Message
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from llast.artifacts import write_text
from llast.corpus.remote import CHUNK_BYTES, LEAST_BYTES, WINDOW_S, Remote, TryAgain, chunks, connect, number
from llast.errors import DataError
from llast.progress import byte_progress
from llast.temporary import sweep

WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Pauses before each retry; an attempt that brought new bytes, and not next to none, starts the count again."""
MAX_WAIT_S = 900.0
"""A server that wants to be left alone for longer gets its wish in another run."""


def download(
    locate: Callable[[], Remote], target: Path, waits: Sequence[float] = WAITS_S, window_s: float = WINDOW_S
) -> None:
    """Bring a file to `target` unless it is there; `{target}.sha256` keeps the digest of what came.

    A `{target}.part` from an interrupted run is continued, if the server can do that and still has the same file.

    Args:
        locate: says where the file is; asked before each attempt, since some addresses expire.
        target: file to write.
        waits: seconds to wait before each retry.
        window_s: see `chunks`.

    Raises:
        DataError: the server refuses, the connection keeps breaking or brings next to nothing, or what came is not what
            was expected.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.exists():
            return
        sweep(target.parent)
        part = _PartialFile(target)
        try:
            remote = _bring(locate, part, waits, window_s)
            part.sync()
            _verify(remote, part)
            write_text(target.with_name(target.name + ".sha256"), part.digest.hexdigest() + "\n")
            part.become(target)
        finally:
            part.close()


def require_recorded(path: Path, sha256: str) -> None:
    """Compare a file's digest with the one that it had when it was downloaded, if it was.

    Raises:
        DataError: it has changed.
    """
    record = path.with_name(path.name + ".sha256")
    if record.exists() and record.read_text(encoding="utf-8").strip() != sha256:
        raise DataError(
            f"{path} is not the file that was downloaded: its SHA-256 has changed. Delete it and run the step again."
        )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody else downloads the same file: several languages, or another run, may share it."""
    lock = FileLock(target.with_name(target.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"fetch {target.name}: another process is at it; waiting", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Version:
    """Which version of a file has come: its digest where that is known beforehand, else what the server says of it.

    Attributes:
        sha256: the digest.
        etag: of the server's headers.
        modified: `Last-Modified` of the server's headers.
        total: bytes of the whole file.
    """

    sha256: str = ""
    etag: str = ""
    modified: str = ""
    total: str = ""

    @classmethod
    def of(cls, remote: Remote, headers: Message) -> "_Version":
        """What a response is a part of."""
        if remote.sha256:
            return cls(sha256=remote.sha256)
        ranged = headers.get("Content-Range", "")
        total = ranged.rpartition("/")[2] if ranged else headers.get("Content-Length", "")
        return cls(
            etag=headers.get("ETag", ""),
            modified=headers.get("Last-Modified", ""),
            total=total if total.isdecimal() else "",
        )

    @property
    def condition(self) -> str:
        """What `If-Range` may hold: a strong ETag, or the date."""
        return self.etag if self.etag.startswith('"') else self.modified

    def differs(self, other: "_Version") -> bool:
        """Whether anything that both know is not the same."""
        return any(
            ours and theirs and ours != theirs
            for ours, theirs in zip(astuple(self), astuple(other), strict=True)
        )


class _PartialFile:
    """What has come of a file so far: its bytes, their digest, and which version of the file they belong to."""

    def __init__(self, target: Path) -> None:
        self.name = target.name
        self.path = target.with_name(target.name + ".part")
        self.version_path = target.with_name(target.name + ".part.version")
        self.digest = hashlib.sha256()
        self.size = 0
        if self.path.exists():
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                pieces = iter(lambda: file.read(CHUNK_BYTES), b"")
                for piece in byte_progress(pieces, f"look at the part of {self.name}", 0, size):
                    self.digest.update(piece)
                    self.size += len(piece)
        self._file = self.path.open("ab", buffering=0)

    @property
    def version(self) -> _Version:
        """The version that the bytes belong to; nothing is known of it if the server said nothing."""
        if not self.version_path.exists():
            return _Version()
        try:
            return _Version(**json.loads(self.version_path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):  # of another release of this package
            return _Version(sha256="unknown")

    def belong_to(self, version: _Version) -> None:
        """Write down which version the bytes belong to."""
        write_text(self.version_path, json.dumps(asdict(version)))

    def restart(self) -> None:
        """Begin again."""
        self._file.truncate(0)
        self.size, self.digest = 0, hashlib.sha256()
        self.version_path.unlink(missing_ok=True)

    def append(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:  # a disk that is nearly full takes a part of it
            rest = rest[self._file.write(rest) :]
        self.digest.update(chunk)
        self.size += len(chunk)

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Nothing is left of a part without bytes."""
        self._file.close()
        if not self.size:
            self.path.unlink(missing_ok=True)
            self.version_path.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        self.version_path.unlink(missing_ok=True)
        self.path.rename(target)


def _bring(
    locate: Callable[[], Remote], part: _PartialFile, waits: Sequence[float], window_s: float
) -> Remote:
    """Make attempts until the part is whole."""
    failures, most = 0, part.size
    while True:
        try:
            remote = locate()
            _attempt(remote, part, window_s)
            return remote
        except TryAgain as error:
            failures = 1 if part.size >= most + LEAST_BYTES else failures + 1
            most = max(most, part.size)
            if failures > len(waits) or error.wait_s > MAX_WAIT_S:
                message = (
                    f"{part.name}: {error}; gave up after {failures} attempts. Run the step again later."
                )
                if error.wait_s > MAX_WAIT_S:
                    message += f" The server wants {error.wait_s / 60:,.0f} minutes."
                if part.size:
                    message += f" The {part.size:,} bytes that came are kept: it goes on from there."
                raise DataError(message) from None
            wait = max(waits[failures - 1], error.wait_s)
            _say(part, f"{error}; next attempt in {wait:.0f} s")
            time.sleep(wait)


def _attempt(remote: Remote, part: _PartialFile, window_s: float) -> None:
    """Bring the part to its full size, or raise TryAgain."""
    version = part.version
    if part.size and version.sha256 and version.sha256 != remote.sha256:
        _say(part, "the server has another file than before: starting again")
        part.restart()
    if remote.size is not None and part.size == remote.size:
        return
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if version.condition:
            headers["If-Range"] = version.condition
    try:
        response = connect(remote, headers)
    except urllib.error.HTTPError as error:  # 416: there is nothing behind what we have
        there = error.headers.get("Content-Range", "").removeprefix("bytes */")
        if there == str(part.size) and not version.differs(_Version.of(remote, error.headers)):
            return
        part.restart()
        raise TryAgain("the file on the server is shorter than what was downloaded before") from None
    with response:
        _receive(remote, response, part, window_s)


def _receive(remote: Remote, response: Any, part: _PartialFile, window_s: float) -> None:
    offset = part.size if response.status == 206 else 0
    version = _Version.of(remote, response.headers)
    if response.status == 206 and _range_start(response) != offset:
        part.restart()
        raise TryAgain("the server sent another range than asked for")
    if offset and part.version.differs(version):  # some servers take no notice of If-Range
        part.restart()
        raise TryAgain("the file on the server has changed: starting again from the beginning")
    length = number(response.headers.get("Content-Length", ""))
    total = None if length is None else offset + length
    coming = chunks(response, window_s)
    first = next(coming, b"")
    # Checked before what came earlier is thrown away: a proxy answers ranges with its page, too.
    if not offset and _is_web_page(response, first):
        raise DataError(
            f"{remote.shown} gave a web page instead of a file: that of a proxy or a login. Open the address in a "
            "browser on this machine to see what it wants, then run the step again."
        )
    if not offset:
        if part.size:
            _say(
                part, "the server ignores ranges, or its file has changed: starting again from the beginning"
            )
        part.restart()
    if not offset or part.version == _Version():
        part.belong_to(version)
    for chunk in byte_progress(chain([first], coming), f"fetch {part.name}", offset, remote.size or total):
        part.append(chunk)
        if remote.size is not None and part.size > remote.size:
            return  # it is another file, perhaps one without an end
    if not part.size:
        raise TryAgain(f"{remote.shown}: the server sent nothing")
    expected = remote.size or total
    if expected is not None and part.size < expected:
        raise TryAgain(f"the connection ended after {part.size:,} of {expected:,} bytes")


def _verify(remote: Remote, part: _PartialFile) -> None:
    digest = part.digest.hexdigest()
    if remote.size in (None, part.size) and remote.sha256 in (None, digest):
        return
    found = f"{part.size:,} bytes, SHA-256 {digest}"
    part.restart()
    expected = [] if remote.size is None else [f"{remote.size:,} bytes"]
    expected += [] if remote.sha256 is None else [f"SHA-256 {remote.sha256}"]
    raise DataError(
        f"{remote.shown} gave {found}; expected {' and '.join(expected)}. It was deleted: run the step again, or "
        "change the address."
    )


def _is_web_page(response: Any, first: bytes) -> bool:
    return response.headers.get_content_type() == "text/html" or first.lstrip()[:1] == b"<"


def _range_start(response: Any) -> int | None:
    return number(response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0])


def _say(part: _PartialFile, text: str) -> None:
    print(f"fetch {part.name}: {text}", file=sys.stderr, flush=True)
