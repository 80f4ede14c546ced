"""Base models come from the hub in one format only; a hub on this machine stands for the real one."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMIT = "a" * 40
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {}}',
    "chat_template.jinja": b"{{ messages }}",
    "model.safetensors": b"weights" * 1000,
    "pytorch_model.bin": b"the same weights",
    "flax_model.msgpack": b"the same weights",
    "onnx/model.onnx": b"the same weights",
}


class Hub(BaseHTTPRequestHandler):
    """The answers of the hub that a download needs: what is in a repository, and a file of it."""

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        path = self.path.split("?")[0]
        if path in ("/api/models/org/tiny/revision/good", f"/api/models/org/tiny/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in FILES]
            self.answer(
                200, json.dumps({"id": "org/tiny", "sha": COMMIT, "siblings": siblings}).encode(), body
            )
        elif path == f"/api/models/org/tiny/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": name} for name, data in FILES.items()
            ]
            self.answer(200, json.dumps(tree).encode(), body)
        elif path.startswith("/api/models/org/tiny/revision/"):
            self.answer(404, b"", body, {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith("/api/models/org/gated/"):
            self.answer(403, b"", body, {"X-Error-Code": "GatedRepo"})
        elif path.startswith("/org/tiny/resolve/"):
            data = FILES[path.split("/", 5)[5]]
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            self.answer(200, data, body, {"ETag": etag, "X-Repo-Commit": COMMIT})
        else:
            self.answer(404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def answer(self, code: int, data: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetch(reference: str, folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    names = ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE")
    outer = {name: value for name, value in os.environ.items() if name.lower() not in map(str.lower, names)}
    environment = {**outer, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home")}
    output = str(folder / "model/summary.json")
    command = [sys.executable, "-m", "llast", "fetch-model", "--reference", reference, "--output", output]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_weights_come_in_one_format(hub: str, tmp_path: Path) -> None:
    result = fetch("org/tiny@good", tmp_path, hub)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "model/summary.json").read_text())
    assert summary["details"]["files"] == [
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert summary["details"]["commit"] == COMMIT
    assert summary["dropped"] == {"other_format": 3}
    found = {path.name for path in (tmp_path / "model").iterdir() if path.is_file()}
    assert found == {*summary["details"]["files"], "summary.json"}
    assert (tmp_path / "model/model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("reference", ["org/tiny@bad", "org/none@good", "org/gated@good"])
def test_what_the_hub_refuses_is_a_message(hub: str, tmp_path: Path, reference: str) -> None:
    result = fetch(reference, tmp_path, hub)
    assert result.returncode == 2
    name, revision = reference.split("@")
    assert name in result.stderr
    assert (f"'{revision}'" in result.stderr) == (revision == "bad")
    assert ("terms on https://huggingface.co/org/gated" in result.stderr) == (name == "org/gated")
    assert not (tmp_path / "model/summary.json").exists()


def test_no_network_is_a_message(tmp_path: Path) -> None:
    result = fetch("org/tiny@good", tmp_path, "http://127.0.0.1:9")
    assert result.returncode == 3
    assert "org/tiny@good" in result.stderr.splitlines()[-1]
