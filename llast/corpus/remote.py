"""Where a file is on a server, and what a server's refusals mean to the one who has to do something about them."""

import base64
import email.utils
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from llast.config.base import is_server
from llast.errors import ConfigError, DataError

TIMEOUT_S = 60.0
CHUNK_BYTES = 1 << 20
LEAST_BYTES, WINDOW_S = 1 << 16, 60.0
"""A connection that brings less in this time of waiting for it is given up, as with curl's --speed-limit: a server that
sends a byte now and then never runs into the timeout."""

MAX_ANSWER_BYTES = 1 << 20
"""Answers that are no files have some hundred bytes."""

_REFUSED = {
    401: ("the server wants a login or key", "Write it into the address as ${NAME} and export NAME."),
    403: (
        "the server refuses access",
        "Its terms may have to be accepted first, or the address has expired.",
    ),
    404: ("there is no such file", "Correct the address in the corpus's source."),
    410: ("the file has been taken away", "Correct the address in the corpus's source."),
}


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: its address, which may hold a secret: never shown.
        shown: what messages call it.
        headers: more headers of the request, which may hold a secret. They are not sent on to where a server redirects.
        size: expected size in bytes, if known.
        sha256: expected digest, if known.
        remedies: what to do about an HTTP status, where it is more than the usual.
        expires: whether the address is good for some time only, and another one can be had.
    """

    url: str = field(repr=False)
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    sha256: str | None = None
    remedies: Mapping[int, str] = field(default_factory=dict)
    expires: bool = False


class TryAgain(Exception):
    """A failure that may pass, after `wait_s` seconds if the server said so."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def remote_at(address: str, size: int | None = None, sha256: str | None = None) -> Remote:
    """The file at an address of the configuration, with each `${NAME}` filled in, quoted, from the environment.

    A user and password in the address become a header.

    Raises:
        ConfigError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if not (found := os.environ.get(match[1], "").strip()):
            raise ConfigError(
                f"{address} needs ${match[1]}, which is not set. Export it where the step fetch runs."
            )
        return quote(found, safe="")

    filled = re.sub(r"\$\{(\w+)\}", value, address)
    if not is_server(filled):
        raise _no_address(address)
    parts = urlsplit(filled)
    user, at, host = parts.netloc.rpartition("@")
    headers = {"Authorization": f"Basic {base64.b64encode(unquote(user).encode()).decode()}"} if at else {}
    return Remote(urlunsplit(parts._replace(netloc=host)), address, headers, size, sha256)


def connect(remote: Remote, headers: Mapping[str, str], method: str = "GET") -> http.client.HTTPResponse:
    """Send a request and return the response, whose body is still to be read.

    Raises:
        TryAgain: the failure may pass.
        DataError: the server refuses for good.
        urllib.error.HTTPError: only for status 416, which a download knows what to do with.
    """
    request = urllib.request.Request(
        remote.url, headers={"User-Agent": f"llast/{version('llast')}", **headers}, method=method
    )
    for name, value in remote.headers.items():
        request.add_unredirected_header(name, value)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        return response
    except urllib.error.HTTPError as error:
        if error.code == 416:
            raise
        with error:
            raise _refusal(remote, error) from None
    except (
        http.client.InvalidURL,
        ValueError,
        OverflowError,
    ):  # their text holds the address, and perhaps a secret
        raise _no_address(remote.shown) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise TryAgain(
            f"{remote.shown}: no connection ({reason}); fetch has to run where the network is"
        ) from None


def chunks(response: http.client.HTTPResponse, window_s: float = WINDOW_S) -> Iterator[bytes]:
    """What comes, as it comes: a connection that breaks costs nothing that had arrived.

    Args:
        response: of `connect`.
        window_s: seconds of waiting in which `LEAST_BYTES` have to come.

    Raises:
        TryAgain: the connection broke, or brings next to nothing.
    """
    came, waited = 0, 0.0
    while True:
        began = time.monotonic()
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(f"the connection broke ({error})") from None
        if not chunk:
            return
        came, waited = came + len(chunk), waited + time.monotonic() - began
        yield chunk
        if came >= LEAST_BYTES:
            came, waited = 0, 0.0
        elif waited > window_s:
            raise TryAgain(f"the server is too slow: {came:,} bytes in {waited:.0f} s")


def ask(remote: Remote, method: str = "GET") -> Any:
    """The JSON that a server answers with; raises as `connect`, and DataError for what is not JSON."""
    with connect(remote, {"Accept": "application/json"}, method) as response:
        answer = b""
        try:
            for chunk in chunks(response):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    break
            return json.loads(answer)
        except ValueError:
            raise DataError(
                f"{remote.shown} did not answer with JSON: is a proxy in between? Run the step again later."
            ) from None
        except TryAgain as error:
            raise TryAgain(f"{remote.shown}: {error}") from None


def _no_address(shown: str) -> ConfigError:
    return ConfigError(f"{shown} is not an address of a server: correct it in the corpus's source.")


def _refusal(remote: Remote, error: urllib.error.HTTPError) -> Exception:
    code = error.code
    if code == 429:
        return TryAgain(
            f"{remote.shown}: the server asks to come less often (HTTP 429); fewer at once: --resources downloads=1",
            _retry_after(error),
        )
    if code in (408, 425) or code >= 500:
        return TryAgain(
            f"{remote.shown}: the server is down or overloaded (HTTP {code})", _retry_after(error)
        )
    if remote.expires and code in (401, 403):
        return TryAgain(f"{remote.shown}: its address has expired (HTTP {code})")
    # Not with the error's own words: of a redirection that is not followed they hold the address, signature and all.
    words = http.client.responses.get(code, "an unknown status")
    what, remedy = _REFUSED.get(code, (f"the server answered '{words}'", "Open the address in a browser."))
    return DataError(f"{remote.shown}: {what} (HTTP {code}). {remote.remedies.get(code, remedy)}")


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Seconds, given as such or as a date."""
    text = error.headers.get("Retry-After", "").strip()
    if (seconds := number(text)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def number(text: str) -> int | None:
    """A number in a header; None if it is none that counts seconds or bytes."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
