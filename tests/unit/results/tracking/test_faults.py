"""What goes wrong between us and MLflow: a real server that is slow, cut off, full or lost, and many writers at once.

Whatever happens, nothing is lost and nothing is doubled once MLflow answers again.
"""

import contextlib
import http.client
import http.server
import multiprocessing
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient

from llast.results.tracking.forward import forward
from llast.results.tracking.identity import RunIdentity
from llast.results.tracking.track import track
from tests.tracked_runs import STEPS, Workflow, free_port, mlflow_server, record, write_workflow
from tests.unit.results.tracking.test_track import check, stored_history, stored_runs

pytestmark = pytest.mark.slow

WRITERS = 16


@pytest.fixture(scope="module")
def server(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(database, folder / "behind.db")
    with mlflow_server(folder / "behind.db", folder) as address:
        yield address


@pytest.fixture
def fresh(server: str) -> str:
    """The server without any run of an earlier test."""
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("llast")
    if experiment:
        for run in client.search_runs([experiment.experiment_id]):
            client.delete_run(run.info.run_id)
    return server


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return write_workflow(tmp_path / "results")


class Wire(http.server.ThreadingHTTPServer):
    """Stands between client and server, and breaks.

    Attributes:
        delay_s: answers come this late.
        lost: paths of requests whose first answer is lost on the way back, after the server has done its work.
        left: requests that still go through; then nothing is answered any more. None: all of them.
    """

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.behind = urlsplit(behind).netloc
        self.delay_s = 0.0
        self.lost: set[str] = set()
        self.left: int | None = None
        self.lock = threading.Lock()

    def passes(self) -> bool:
        with self.lock:
            if self.left is None:
                return True
            self.left -= 1
            return self.left >= 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is what these tests are about."""


class _Relay(http.server.BaseHTTPRequestHandler):
    server: Wire

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.server.passes():
            self.close_connection = True
            return
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        time.sleep(self.server.delay_s)
        path = urlsplit(self.path).path.split("/mlflow/")[-1]
        if path in self.server.lost:
            self.server.lost.remove(path)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def wire(fresh: str) -> Iterator[Wire]:
    wire = Wire(fresh)
    thread = threading.Thread(target=wire.serve_forever, daemon=True)
    thread.start()
    yield wire
    wire.shutdown()
    wire.server_close()


def address(wire: Wire) -> str:
    return f"http://127.0.0.1:{wire.server_port}"


@contextlib.contextmanager
def impatient(monkeypatch: pytest.MonkeyPatch, seconds: int = 1, retries: int = 0) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(seconds))
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
        yield


def test_a_request_that_was_carried_out_but_not_answered(
    wire: Wire, fresh: str, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client repeats it; a run would be there twice."""
    wire.lost = {"runs/create", "runs/log-batch", "runs/set-tag", "runs/update"}
    with impatient(monkeypatch, seconds=20, retries=2):
        done = track(**workflow.arguments(), tracking_uri=address(wire), output=tmp_path / "t.json")
    assert wire.lost == set(), "all of these were asked for"
    assert done.status == "done", done
    check(fresh)


def test_a_server_that_is_cut_off_in_the_middle(
    wire: Wire, fresh: str, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call gets a little further; the last one finishes what is left."""
    statuses = []
    with impatient(monkeypatch):
        for requests in (2, 9, 17, 26, None):
            wire.left = requests
            result = track(**workflow.arguments(), tracking_uri=address(wire), output=tmp_path / "t.json")
            statuses.append(result.status)
    assert statuses == ["pending"] * 4 + ["done"]
    check(fresh)


def test_a_server_that_is_too_slow(
    wire: Wire, fresh: str, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up after the time-out, although the server did what it was asked; done when it is quick again."""
    wire.delay_s = 1.5
    with impatient(monkeypatch):
        slow = track(**workflow.arguments(), tracking_uri=address(wire), output=tmp_path / "t.json")
        assert slow.status == "pending"
    wire.delay_s = 0.0
    track(**workflow.arguments(), tracking_uri=address(wire), output=tmp_path / "t.json")
    check(fresh)


def test_a_server_that_is_full_and_then_restarted_with_room(
    database: Path, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = tmp_path / "behind.db"
    shutil.copy(database, behind)
    port = free_port()
    with (
        mlflow_server(behind, tmp_path, port, most_bytes=behind.stat().st_size + 8192) as uri,
        impatient(monkeypatch, 20),
    ):
        result = track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "t.json")
        assert result.status == "pending", result
    with mlflow_server(behind, tmp_path, port) as uri:
        track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "t.json")
        check(uri)


def _write(folder: str, number: int, uri: str) -> None:
    forward(Path(folder), RunIdentity.of(f"writer{number:02}", 1, "0123", Path(folder)), uri)


def write_at_once(folder: Path, uri: str) -> list[int | None]:
    """Exit codes of 16 processes that each forward a run of their own, all at the same time."""
    (folder / "metrics.jsonl").write_text("".join(record(step) for step in range(1, STEPS + 1)))
    fork = multiprocessing.get_context(
        "fork"
    )  # MLflow is imported here already: a fresh process takes seconds
    writers = [fork.Process(target=_write, args=(str(folder), n, uri)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    return [writer.exitcode for writer in writers]


@pytest.mark.parametrize("kind", ["database", "server"])
def test_sixteen_writers_at_once(kind: str, fresh: str, tmp_path: Path) -> None:
    uri = fresh if kind == "server" else f"sqlite:///{tmp_path / 'lost.db'}"
    assert write_at_once(tmp_path, uri) == [0] * WRITERS
    assert set(stored_runs(uri)) == {f"writer{number:02} seed 1" for number in range(WRITERS)}
    for metrics in stored_history(uri).values():
        assert [step for step, _, _ in metrics["train/loss"]] == list(range(1, STEPS + 1))
