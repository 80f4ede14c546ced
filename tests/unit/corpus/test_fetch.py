import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llast.config.corpus import LocalSource, SyntheticSource, UrlSource
from llast.corpus.download import download
from llast.corpus.fetch import fetch
from llast.corpus.fetched import Fetched
from llast.errors import DataError
from tests.unit.corpus.conftest import Release, fetched


class Server(http.server.ThreadingHTTPServer):
    """Serves files from memory, with a list of faults: one for each request in turn, then none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.requests: list[tuple[str, str | None]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        data = self.server.files.get(self.path.lstrip("/"))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault.isdigit() or data is None:
            self.send_response(int(fault or 404))
            self.send_header("Content-Length", "0")
            if fault == "429":
                self.send_header("Retry-After", "0")
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "no ranges" else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        self.wfile.write(rest[: len(rest) // 2] if fault == "cut" else rest)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_local_files_are_used_in_place(tmp_path: Path, release: Release) -> None:
    source = release.write(tmp_path, "cv-corpus-6.1/fr/")
    summary = fetched("fr", ["fr_en"], tmp_path / "out", source)
    audio = tmp_path / "fr.tar.gz"
    assert summary.details["audio"] == {
        "path": str(audio),
        "bytes": audio.stat().st_size,
        "sha256": hashlib.sha256(audio.read_bytes()).hexdigest(),
        "root": "cv-corpus-6.1/fr",
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["summary.json", "validated.tsv"]
    files = Fetched.read(tmp_path / "out" / "summary.json")
    assert files.validated.read_bytes() == dict(release.files())["validated.tsv"]
    assert files.tables == {"fr_en": tmp_path / "covost_v2.fr_en.tsv.tar.gz"}
    assert summary.rows_out == 2


def test_missing_files_are_named_with_the_key_to_set(tmp_path: Path, release: Release) -> None:
    source = release.write(tmp_path)
    with pytest.raises(DataError, match=r"covost_v2\.fr_xx.* does not exist.*source\.tables"):
        fetched("fr", ["fr_xx"], tmp_path / "out", source)
    nowhere = LocalSource(audio="/nowhere/{lang}.tar.gz", tables=source.tables)
    with pytest.raises(DataError, match=r"/nowhere/fr\.tar\.gz does not exist.*'fr'.*source\.audio"):
        fetched("fr", ["fr_en"], tmp_path / "out", nowhere)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_synthetic_files_lie_beside_their_summary(tmp_path: Path, release: Release) -> None:
    release.write(tmp_path / "synthesize")
    summary = tmp_path / "synthesize" / "summary.json"
    fetch("fr", ["fr_en"], tmp_path / "out", SyntheticSource(), summary, tmp_path / "downloads")
    assert Fetched.read(tmp_path / "out" / "summary.json").audio == tmp_path / "synthesize" / "fr.tar.gz"


def test_downloads_are_kept_and_not_repeated(tmp_path: Path, release: Release, server: Server) -> None:
    release.write(tmp_path)
    for name in ("fr.tar.gz", "covost_v2.fr_en.tsv.tar.gz"):
        server.files[name] = (tmp_path / name).read_bytes()
    options = UrlSource(audio=server.url("{lang}.tar.gz"), tables=server.url("covost_v2.{pair}.tsv.tar.gz"))
    for _ in range(2):
        fetch("fr", ["fr_en"], tmp_path / "out", options, None, tmp_path / "downloads")
    assert len(server.requests) == 2
    audio = Fetched.read(tmp_path / "out" / "summary.json").audio
    assert audio.read_bytes() == server.files["fr.tar.gz"]
    audio.write_bytes(server.files["fr.tar.gz"] + b"\0")
    with pytest.raises(DataError, match="SHA-256 has changed"):
        fetch("fr", ["fr_en"], tmp_path / "out", options, None, tmp_path / "downloads")


@pytest.mark.parametrize(
    "faults",
    [
        ["cut", "cut", "cut"],
        ["503", "429", "500"],
        ["cut", "no ranges"],
        ["cut", "503", "cut", "503", "cut", "503"],
    ],
    ids=" ".join,
)
def test_a_download_survives_a_bad_connection(tmp_path: Path, server: Server, faults: list[str]) -> None:
    server.files["a.tar"] = bytes(range(256)) * 20_000
    server.faults = list(faults)
    download(server.url("a.tar"), tmp_path / "a.tar", waits=(0.0, 0.0, 0.0))
    assert (tmp_path / "a.tar").read_bytes() == server.files["a.tar"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "a.tar.sha256"]


def test_an_interrupted_download_goes_on_where_it_was(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = bytes(range(256)) * 100
    (tmp_path / "a.tar.part").write_bytes(server.files["a.tar"][:1000])
    download(server.url("a.tar"), tmp_path / "a.tar")
    assert server.requests == [("/a.tar", "bytes=1000-")]
    assert (tmp_path / "a.tar").read_bytes() == server.files["a.tar"]


def test_a_server_that_stays_broken_is_given_up_and_the_part_kept(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = bytes(1000)
    server.faults = ["cut", "503", "503", "503"]
    with pytest.raises(DataError, match=r"HTTP 503.*gave up after 3 attempts.*What came is kept"):
        download(server.url("a.tar"), tmp_path / "a.tar", waits=(0.0, 0.0))
    assert (tmp_path / "a.tar.part").stat().st_size == 500
    assert not (tmp_path / "a.tar").exists()


@pytest.mark.parametrize(("code", "message"), [("401", "login"), ("403", "terms"), ("404", "no such file")])
def test_refusals_have_their_own_message_and_no_retry(
    tmp_path: Path, server: Server, code: str, message: str
) -> None:
    server.files["a.tar"] = b"x"
    server.faults = [code]
    with pytest.raises(DataError, match=rf"{message}.*HTTP {code}"):
        download(server.url("a.tar"), tmp_path / "a.tar")
    assert len(server.requests) == 1


def test_what_is_not_the_expected_file_is_deleted(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = b"other"
    with pytest.raises(DataError, match=r"expected 5 bytes and SHA-256 00"):
        download(server.url("a.tar"), tmp_path / "a.tar", size=5, sha256="00")
    server.files["a.tar"] = b"\n<!DOCTYPE html><html>"
    with pytest.raises(DataError, match="web page"):
        download(server.url("a.tar"), tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    assert not list(tmp_path.glob("*.part"))
