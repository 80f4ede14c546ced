"""A server that misbehaves as it is told: with plain files, as Mozilla Data Collective, as the Hugging Face hub."""

import contextlib
import hashlib
import http.server
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message

KEY = "key-that-must-not-be-seen"
SIGNATURE = "signature-that-must-not-be-seen"


class Server(http.server.ThreadingHTTPServer):
    """Serves files from memory.

    Attributes:
        files: content by path.
        faults: one for each request in turn, then none: an HTTP status (`429 7`: with `Retry-After: 7`), `cut` (half of
            what is left), `break` (half of it, then the connection is reset), `no ranges`, `cut no ranges`, `html`,
            `other range`, `range X` and `length X` (that claim X), `cut chunked` (half of it, without saying how much
            it will be), `endless`, `drip` (a byte now and then).
        requests: path and Range header of each request.
        data_sets: of Data Collective, path of the archive by id; `accepted`: those whose terms are.
        repository: of the hub, `org/name@revision`; its files are those of `files` below `hub/`.
        etags: whether it names versions; `dates`: the date of each file, where it says one.
        conditions: whether it takes notice of `If-Range`.
        pause_s: seconds to wait before each 64 KiB.
        most_at_once: files that were being sent at the same time, at most.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.requests: list[tuple[str, str | None]] = []
        self.headers: list[Message] = []
        self.data_sets: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.repository = ""
        self.etags = True
        self.dates: dict[str, str] = {}
        self.conditions = True
        self.pause_s = 0.0
        self.most_at_once = 0
        self.sending = 0
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def asked(self, part: str) -> int:
        """Requests whose path holds a text."""
        return sum(part in path for path, _ in self.requests)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of ours."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.lstrip("/").partition("?")
        self.server.requests.append((self.path, self.headers.get("Range")))
        self.server.headers.append(self.headers)
        name, _, revision = self.server.repository.partition("@")
        if name and path.startswith(f"api/datasets/{name}/tree/"):
            self.tree(path.removeprefix(f"api/datasets/{name}/tree/"), revision)
        elif name and path.startswith(f"datasets/{name}/resolve/{revision}/"):
            self.file(path.replace(f"datasets/{name}/resolve/{revision}/", "hub/"))
        elif path.startswith("signed/"):
            self.file(path.removeprefix("signed/"), refused=query != f"signature={SIGNATURE}")
        elif "/tree/" in path:
            self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif path.startswith("api/datasets/"):
            self.details(path.split("/")[2])
        else:
            self.file(path)

    def do_POST(self) -> None:
        """`POST /api/datasets/{id}/download`."""
        self.server.requests.append((self.path, None))
        _, _, data_set, _ = self.path.lstrip("/").split("/")
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault[:3].isdigit():
            self.refuse(fault)
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self.refuse("401")
        elif data_set not in self.server.data_sets:
            self.refuse("404")
        elif data_set not in self.server.accepted:
            self.refuse("403")
        else:
            name = self.server.data_sets[data_set]
            data = self.server.files[name]
            self.json(
                {
                    "downloadUrl": self.server.url(f"signed/{name}?signature={SIGNATURE}"),
                    "sizeBytes": str(len(data)),
                    "checksum": hashlib.sha256(data).hexdigest(),
                    "filename": name,
                }
            )

    def details(self, data_set: str) -> None:
        self.json({"id": data_set, "filename": self.server.data_sets[data_set]})

    def tree(self, path: str, revision: str) -> None:
        asked, _, folder = path.partition("/")
        files = {
            name.removeprefix("hub/"): data
            for name, data in self.server.files.items()
            if name.startswith("hub/")
        }
        entries = [
            {
                "type": "file",
                "path": name,
                "size": len(data),
                "oid": "0" * 40,
                "lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130},
            }
            for name, data in files.items()
            if name.startswith(f"{folder}/")
        ]
        if asked != revision:
            self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif not entries:
            self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        else:
            self.json(entries)

    def file(self, name: str, refused: bool = False) -> None:
        data = self.server.files.get(name)
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault[:3].isdigit() or data is None or refused:
            self.refuse(fault or ("403" if refused else "404"))
            return
        if fault == "html":
            self.send(200, b"\n<!DOCTYPE html><html>Please log in</html>", {"Content-Type": "text/html"})
            return
        if fault == "redirect":
            self.send(302, b"", {"Location": f"s3://bucket/a.tar?signature={SIGNATURE}"})
            return
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        asked = self.headers.get("Range")
        date = self.server.dates.get(name, "")
        same = not self.server.conditions or self.headers.get("If-Range", etag) in (etag, date)
        start = (
            int(asked.removeprefix("bytes=").rstrip("-"))
            if asked and same and "no ranges" not in fault
            else 0
        )
        if start >= len(data) > 0:
            self.send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        self.send_response(206 if start else 200)
        if start:
            claimed = fault[6:] if fault.startswith("range ") else 0 if fault == "other range" else start
            self.send_header("Content-Range", f"bytes {claimed}-{len(data) - 1}/{len(data)}")
        if self.server.etags:
            self.send_header("ETag", etag)
        if date:
            self.send_header("Last-Modified", date)
        rest = data[start:]
        if fault == "cut chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(rest):x}\r\n".encode() + rest[: len(rest) // 2])
            return
        if fault == "endless":
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(data)
        self.send_header("Content-Length", fault[7:] if fault.startswith("length ") else str(len(rest)))
        self.end_headers()
        if fault == "drip":
            with contextlib.suppress(OSError):
                for byte in rest:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.01)
            return
        if "cut" in fault or fault == "break":
            rest = rest[: len(rest) // 2]
        with self.counted():
            for at in range(0, len(rest), 1 << 16):
                if self.server.pause_s:
                    time.sleep(self.server.pause_s)
                self.wfile.write(rest[at : at + (1 << 16)])
        if fault == "break":
            self.wfile.flush()
            at_once = struct.pack("ii", 1, 0)  # closing resets the connection
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self.connection.close()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.server.lock:
            self.server.sending += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.sending)
        try:
            yield
        finally:
            with self.server.lock:
                self.server.sending -= 1

    def json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, fault: str) -> None:
        code, _, wait = fault.partition(" ")
        self.send(int(code), b"", {"Retry-After": wait} if wait else {})

    def send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs in a thread."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
