import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from llast.corpus.download import download
from llast.corpus.remote import Remote, remote_at
from llast.corpus.sources.base import Folders
from llast.corpus.sources.mdc import MdcSource
from llast.errors import ConfigError, DataError
from tests.unit.corpus.server import SIGNATURE, Server

DATA = bytes(range(256)) * 20_000


def bring(
    server: Server,
    folder: Path,
    waits: tuple[float, ...] = (0.0, 0.0, 0.0),
    size: int | None = None,
    sha256: str | None = None,
) -> bytes:
    url = server.url("a.tar")
    download(lambda: Remote(url, url, size=size, sha256=sha256), folder / "a.tar", waits)
    return (folder / "a.tar").read_bytes()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize(
    "faults",
    [
        ["cut", "cut", "cut"],
        ["break", "break"],
        ["cut chunked", "cut chunked"],
        ["503", "429 0", "500"],
        ["cut", "no ranges"],
        ["cut", "other range"],
        ["429 \u00b2", "503 " + "9" * 5000, "cut", "range \u00b2", "length \u00b2", "length " + "9" * 5000],
        ["204", "length many"],
        ["cut", "503", "cut", "503", "cut", "503"],
    ],
    ids=" ".join,
)
def test_a_download_survives_a_bad_connection(tmp_path: Path, server: Server, faults: list[str]) -> None:
    server.files["a.tar"] = DATA
    server.faults = list(faults)
    assert bring(server, tmp_path) == DATA
    assert left(tmp_path) == ["a.tar", "a.tar.sha256"]


def test_nothing_that_came_is_asked_for_again(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["cut", "cut"]
    bring(server, tmp_path)
    assert [asked for _, asked in server.requests] == [
        None,
        f"bytes={len(DATA) // 2}-",
        f"bytes={len(DATA) * 3 // 4}-",
    ]


def test_an_interrupted_download_goes_on_where_it_was(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    (tmp_path / "a.tar.part").write_bytes(DATA[:1000])
    (tmp_path / ".a.tar.llast-xyz.sha256").write_text("half a record of a killed run")
    assert bring(server, tmp_path) == DATA
    assert server.requests == [("/a.tar", "bytes=1000-")]
    assert left(tmp_path) == ["a.tar", "a.tar.sha256"]
    assert bring(server, tmp_path) == DATA
    assert len(server.requests) == 1, "what is there is not asked for"


def test_all_that_is_left_may_be_to_look_at_it(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    for size in (None, len(DATA)):
        (tmp_path / "a.tar").unlink(missing_ok=True)
        (tmp_path / "a.tar.part").write_bytes(DATA)
        assert bring(server, tmp_path, size=size) == DATA


@pytest.mark.parametrize("etags", [True, False])
def test_halves_of_two_files_are_never_joined(tmp_path: Path, server: Server, etags: bool) -> None:
    server.etags = etags
    server.files["a.tar"] = DATA
    server.faults = ["cut", "503"]
    sha256 = None if etags else "0" * 64
    with pytest.raises(DataError, match="HTTP 503"):
        bring(server, tmp_path, (0.0,), sha256=sha256)
    server.files["a.tar"] = DATA[::-1]
    if etags:
        assert bring(server, tmp_path) == DATA[::-1]
        return
    with pytest.raises(DataError, match="0" * 64):
        bring(server, tmp_path, sha256=sha256)
    assert left(tmp_path) == []


@pytest.mark.parametrize("known_by", ["an ETag", "a date", "its length"])
@pytest.mark.parametrize("again", [False, True], ids=["in one run", "in another run"])
def test_a_server_without_if_range_that_has_another_file_is_found_out(
    tmp_path: Path, server: Server, known_by: str, again: bool
) -> None:
    old, new = DATA, DATA[::-1] + (b"longer" if known_by == "its length" else b"")
    server.conditions = False
    server.etags = known_by == "an ETag"

    def serve(data: bytes, date: str) -> None:
        server.files["a.tar"] = data
        if known_by == "a date":
            server.dates["a.tar"] = date

    serve(old, "Sat, 01 Jan 2022 00:00:00 GMT")
    server.faults = ["cut", "503"]
    if again:
        with pytest.raises(DataError, match="HTTP 503"):
            bring(server, tmp_path, (0.0,))
        serve(new, "Sun, 02 Jan 2022 00:00:00 GMT")
        assert bring(server, tmp_path) == new
    else:

        def locate() -> Remote:
            if len(server.requests) == 2:
                serve(new, "Sun, 02 Jan 2022 00:00:00 GMT")
            return remote_at(server.url("a.tar"))

        download(locate, tmp_path / "a.tar", (0.0, 0.0, 0.0))
        assert (tmp_path / "a.tar").read_bytes() == new
    assert [asked for _, asked in server.requests][-2:] == [f"bytes={len(old) // 2}-", None]
    assert left(tmp_path) == ["a.tar", "a.tar.sha256"]


def test_a_shorter_file_is_not_whole_because_as_much_had_come(tmp_path: Path, server: Server) -> None:
    server.conditions = server.etags = False
    server.files["a.tar"] = DATA
    server.faults = ["cut", "503"]
    with pytest.raises(DataError, match="HTTP 503"):
        bring(server, tmp_path, (0.0,))
    server.files["a.tar"] = DATA[-len(DATA) // 2 :]
    assert bring(server, tmp_path) == DATA[-len(DATA) // 2 :]


def test_a_file_without_end_is_left_at_its_expected_size(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["endless"]
    with pytest.raises(DataError, match=r"a\.tar.*expected 5,000,000 bytes"):
        bring(server, tmp_path, size=5_000_000)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:99999/a", "http://[::1/a", "http:///a", "http://here:port/a", "http://:80/a"],
)
def test_hosts_and_ports_that_cannot_be_are_said_at_once(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=re.escape(address)):
        download(lambda: remote_at(address), tmp_path / "a.tar")
    monkeypatch.setenv("MDC_API_KEY", "key")
    monkeypatch.setenv("MDC_API_URL", address)
    with pytest.raises(ConfigError, match="MDC_API_URL"):
        MdcSource(datasets={"fr": "a"}).fetch("fr", ["fr_en"], Folders(tmp_path, tmp_path))


def test_a_server_that_stays_broken_is_given_up_and_the_part_kept(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["cut", "503", "503", "503"]
    with pytest.raises(DataError, match=r"HTTP 503.*\b3 .*2,560,000"):
        bring(server, tmp_path, (0.0, 0.0))
    assert left(tmp_path) == ["a.tar.part", "a.tar.part.version"]
    server.faults = ["html"]
    with pytest.raises(DataError, match=r"a\.tar"):
        bring(server, tmp_path)
    assert (tmp_path / "a.tar.part").read_bytes() == DATA[: len(DATA) // 2], (
        "a proxy's page is no reason to throw it away"
    )
    assert bring(server, tmp_path) == DATA


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["cut", *["drip"] * 9]
    with pytest.raises(DataError, match=r"a\.tar.*slow.*\b3 "):
        download(lambda: remote_at(server.url("a.tar")), tmp_path / "a.tar", (0.0, 0.0), window_s=0.05)
    assert len(server.requests) == 3
    server.faults = ["drip"]
    download(lambda: remote_at(server.url("a.tar")), tmp_path / "a.tar", (0.0, 0.0), window_s=0.05)
    assert (tmp_path / "a.tar").read_bytes() == DATA


def test_without_ranges_a_broken_connection_ends_some_time(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["cut no ranges"] * 9
    with pytest.raises(DataError, match=r"2,560,000 .*5,120,000 .*\b3 "):
        bring(server, tmp_path, (0.0, 0.0))
    assert len(server.requests) == 3


REFUSALS = {
    "401": r"HTTP 401.*\$\{NAME\}",
    "403": r"HTTP 403.*terms",
    "404": r"HTTP 404",
    "410": r"HTTP 410",
    "451": r"HTTP 451.*browser",
    "redirect": r"a\.tar.*HTTP 302.*browser",
    "html": r"web page",
    "429 1000": r"HTTP 429.*downloads=1.*17 minutes",
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_each_refusal_says_what_to_do_and_is_not_repeated(tmp_path: Path, server: Server, fault: str) -> None:
    server.files["a.tar"] = DATA
    server.faults = [fault]
    with pytest.raises(DataError, match=REFUSALS[fault]) as caught:
        bring(server, tmp_path)
    assert SIGNATURE not in str(caught.value)
    assert len(server.requests) == 1
    assert left(tmp_path) == []


def test_a_server_may_say_when_to_come_again(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["a.tar"] = DATA
    server.faults = ["429 7", "503 Wed, 21 Oct 2037 07:28:00 GMT", "503"]
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "time", lambda: 2_139_722_850.0)  # half a minute before that date
    assert bring(server, tmp_path, (1.0, 2.0, 5.0)) == DATA
    assert waited == [7.0, 30.0, 5.0]


def test_one_of_two_waits_for_the_other(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ""
    with ThreadPoolExecutor() as pool:
        with FileLock(tmp_path / "a.tar.lock"):
            waiting = pool.submit(bring, server, tmp_path)
            while "another process is at it; waiting" not in said and not waiting.done():
                said += capfd.readouterr().err
                time.sleep(0.01)
            (tmp_path / "a.tar").write_bytes(DATA)
        assert waiting.result() == DATA
    assert server.requests == []


def test_what_is_no_address_is_said_at_once_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_KEY", "hidden")
    with pytest.raises(ConfigError, match=r"here/\$\{CV_KEY\} /a\.tar") as caught:
        download(lambda: remote_at("http://here/${CV_KEY} /a.tar"), tmp_path / "a.tar")
    assert "hidden" not in str(caught.value)


def test_no_server_at_all_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/a\.tar.*refused"):
        download(lambda: remote_at("http://127.0.0.1:9/a.tar"), tmp_path / "a.tar", (0.0,))


def test_what_is_not_the_expected_file_is_deleted(tmp_path: Path, server: Server) -> None:
    server.files["a.tar"] = b"other"
    with pytest.raises(DataError, match=r"\b5 bytes.*SHA-256 d9298.*\b5 bytes.*SHA-256 00"):
        bring(server, tmp_path, size=5, sha256="00")
    with pytest.raises(DataError, match=r"\b5 of 9 bytes"):
        bring(server, tmp_path, (), size=9)
    (tmp_path / "a.tar.part").unlink()
    with pytest.raises(DataError, match=r"\b5 bytes.*\b3 bytes"):
        bring(server, tmp_path, size=3)
    assert left(tmp_path) == []


def test_secrets_are_filled_in_from_the_environment_and_not_shown(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.url("none.tar?key=${CV_KEY}").replace("//", "//me:${CV_PASSWORD}@")
    with pytest.raises(ConfigError, match=r"\$CV_KEY"):
        remote_at(address.replace("CV_PASSWORD", "CV_KEY"))
    monkeypatch.setenv("CV_KEY", "hidden&key")
    monkeypatch.setenv("CV_PASSWORD", "hidden:@/password")
    remote = remote_at(address)
    assert "hidden" not in repr(remote)
    with pytest.raises(DataError) as caught:
        download(lambda: remote, tmp_path / "a.tar")
    assert "hidden" not in str(caught.value)
    assert server.requests == [("/none.tar?key=hidden%26key", None)]
    assert server.headers[0]["Authorization"] == "Basic bWU6aGlkZGVuOkAvcGFzc3dvcmQ="
