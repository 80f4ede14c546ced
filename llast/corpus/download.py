"""Download one file over HTTP so that an interruption costs nothing: resumed by range, retried, verified."""

import contextlib
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llast.artifacts import write_text
from llast.errors import DataError
from llast.progress import progress

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0
WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Pauses before each retry; an attempt that brought new bytes starts the count again."""

_REFUSED = {
    401: "the server wants a login or key",
    403: "the server refuses access: its terms may have to be accepted first, or the address has expired",
    404: "there is no such file: correct the address in the corpus's source",
    410: "the file has been taken away: correct the address in the corpus's source",
}


def download(
    url: str,
    target: Path,
    size: int | None = None,
    sha256: str | None = None,
    waits: Sequence[float] = WAITS_S,
) -> None:
    """Download `url` to `target` unless it is there; `{target}.sha256` keeps the digest of what came.

    A `{target}.part` from an interrupted run is continued.

    Args:
        url: address.
        target: file to write.
        size: expected size in bytes, if known.
        sha256: expected digest, if known.
        waits: seconds to wait before each retry.

    Raises:
        DataError: the server refuses, the connection keeps breaking, or what came is not what was expected.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _attempt(url, part, target.name)
            break
        except _TryAgain as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures > len(waits):
                raise DataError(
                    f"{url}: {error}; gave up after {failures} attempts. What came is kept: "
                    "run the step again to go on."
                ) from None
            time.sleep(max(waits[failures - 1], error.wait_s))
    digest = _digest(part)
    if (size is not None and _size(part) != size) or (sha256 is not None and digest != sha256):
        found = f"{_size(part):,} bytes, SHA-256 {digest}"
        part.unlink()
        expected = " and ".join(
            [f"{size:,} bytes"] * (size is not None) + [f"SHA-256 {sha256}"] * (sha256 is not None)
        )
        raise DataError(
            f"{url} gave {found}; expected {expected}. It was deleted: run the step again, "
            "or change the address."
        )
    write_text(target.with_name(target.name + ".sha256"), digest + "\n")
    part.rename(target)


def recorded_digest(target: Path) -> str:
    """SHA-256 of a file when it was downloaded."""
    return target.with_name(target.name + ".sha256").read_text().strip()


class _TryAgain(Exception):
    """A failure that may pass."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _attempt(url: str, part: Path, name: str) -> None:
    """Bring `part` to its full size, or raise _TryAgain."""
    offset = _size(part)
    headers = {"User-Agent": "llast", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        ) as response:
            resumed = response.status == 206 and _range_start(response) == offset
            if response.status == 206 and not resumed:
                part.unlink()
                raise _TryAgain("the server sent another range than asked for")
            offset = offset if resumed else 0
            length = response.headers.get("Content-Length")
            total = None if length is None else offset + int(length)
            with part.open("ab" if resumed else "wb") as file:
                for chunk in progress(
                    _chunks(response, url, first=not offset),
                    f"fetch {name}",
                    total=None if total is None else -(-(total - offset) // CHUNK_BYTES),
                    unit="MiB",
                ):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
    except DataError:
        part.unlink(missing_ok=True)
        raise
    except urllib.error.HTTPError as error:
        _http_error(error, url, part)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _TryAgain(f"the connection failed ({getattr(error, 'reason', error)})") from None
    else:
        if total is not None and _size(part) < total:
            raise _TryAgain(f"the connection ended after {_size(part):,} of {total:,} bytes")


def _http_error(error: urllib.error.HTTPError, url: str, part: Path) -> None:
    if error.code == 416:
        if error.headers.get("Content-Range", "").removeprefix("bytes */") == str(_size(part)):
            return
        part.unlink(missing_ok=True)
        raise _TryAgain("the file on the server is shorter than what was downloaded before")
    if error.code in _REFUSED:
        raise DataError(f"{url}: {_REFUSED[error.code]} (HTTP {error.code}).") from None
    if error.code == 429 or error.code >= 500:
        wait = error.headers.get("Retry-After", "")
        raise _TryAgain(f"the server answered HTTP {error.code}", float(wait) if wait.isdigit() else 0.0)
    raise DataError(f"{url}: the server answered HTTP {error.code} {error.reason}.") from None


def _chunks(response: Any, url: str, first: bool) -> Iterator[bytes]:
    with contextlib.suppress(http.client.IncompleteRead):  # found by the size afterwards
        while chunk := response.read(CHUNK_BYTES):
            if first and chunk.lstrip()[:1] == b"<":
                raise DataError(
                    f"{url} gave a web page instead of a file: a login page or a proxy. Open it in a browser."
                )
            first = False
            yield chunk


def _range_start(response: Any) -> int | None:
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
    return int(start) if start.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
