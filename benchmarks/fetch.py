"""Downloading and reading an archive, against curl, sha256sum and tar, and against disk and hash alone."""

import hashlib
import http.server
import multiprocessing
import os
import random
import subprocess
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from made_up import clip, make_release
from record import ROOT, Measured, in_turn, main, peak_mib

from llast.corpus.archive import inspect
from llast.corpus.download import CHUNK_BYTES, download
from llast.corpus.remote import Remote

MB = 1e6
MOST_MIB = 160.0
DOWNLOADED = {True: 1_000_000_000, False: 250_000_000}
RESULTS = ROOT / "benchmarks" / "results"  # on the disk of the checkout, and ignored by git


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the file whose name is the address's path, by the kernel."""

    def do_GET(self) -> None:
        with Path(self.path).open("rb") as file:
            size, at = os.fstat(file.fileno()).st_size, 0
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            while at < size:
                at += os.sendfile(self.connection.fileno(), file.fileno(), at, size - at)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(port: Connection) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        port.send(server.server_port)
        server.serve_forever()


def measure(full: bool) -> list[Measured]:
    """Both in megabytes a second; what is read stays in the page cache."""
    RESULTS.mkdir(exist_ok=True)
    speeds = [_download(full), _inspect(full)]
    memory = Measured(
        "fetch_memory",
        f"downloading {DOWNLOADED[full] / MB:,.0f} MB and reading the archive needs a fraction of their size (the "
        "benchmark's own memory included)",
        peak_mib(),
        "MiB",
        target=MOST_MIB,
        lower_is_better=True,
    )
    return [*speeds, memory]


def _download(full: bool) -> Measured:
    size, rounds = DOWNLOADED[full], 5 if full else 3
    block = random.Random(0).randbytes(CHUNK_BYTES)
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        served, target = Path(folder) / "served", Path(folder) / "target"
        with served.open("wb") as file:
            for start in range(0, size, CHUNK_BYTES):
                file.write(block[: size - start])
        url = f"http://127.0.0.1:{mine.recv()}{served}"

        def ours() -> None:
            download(lambda: Remote(url, url, size=size), target)

        def curl() -> None:
            subprocess.run(["curl", "--silent", "--fail", "--output", target, url], check=True)
            subprocess.run(["sync", target], check=True)
            subprocess.run(["sha256sum", target], check=True, capture_output=True)

        def alone() -> None:
            digest = hashlib.sha256()
            with target.open("wb", buffering=0) as file, ThreadPoolExecutor(1) as beside:
                for start in range(0, size, CHUNK_BYTES):
                    piece = block[: size - start]
                    hashed = beside.submit(digest.update, piece)
                    file.write(piece)
                    hashed.result()
                os.fsync(file.fileno())

        def settle() -> None:
            """A virtual machine lends free memory to its host and is slow to get it back: take it beforehand."""
            alone()
            target.unlink()
            os.sync()

        seconds = in_turn({"ours": ours, "curl": curl, "alone": alone}, rounds, before=settle)
    server.terminate()
    rate = {name: size / MB / value for name, value in seconds.items()}
    return Measured(
        "fetch",
        f"a download of {size / MB:,.0f} MB over the loopback, hashed, synced and renamed, is not slower than curl "
        "with sha256sum",
        rate["ours"],
        "MB/s",
        rate["curl"],
        "curl, sync, sha256sum",
        target=rate["curl"],
        limit=rate["alone"],
        limit_is="write, hash and sync of the same bytes from memory",
        rounds=rounds,
    )


def _inspect(full: bool) -> Measured:
    count = 12_500 if full else 2_500
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        spoken = [clip(number, 5.0) for number in range(50)]
        path = make_release(Path(folder) / "fr", spoken, count).parent / "fr.tar.gz"
        size = path.stat().st_size

        def tar() -> None:
            subprocess.run(["tar", "--list", "--file", path], check=True, capture_output=True)
            subprocess.run(["sha256sum", path], check=True, capture_output=True)

        def alone() -> None:
            unpack, digest = zlib.decompressobj(wbits=31), hashlib.sha256()
            with path.open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    digest.update(piece)
                    unpack.decompress(piece)

        seconds = in_turn({"ours": lambda: inspect(path, "fr"), "tar": tar, "alone": alone}, 3)
    rate = {name: size / MB / value for name, value in seconds.items()}
    return Measured(
        "inspect",
        f"an archive of {count:,} clips ({size / MB:,.0f} MB) is read to its end, checked and hashed in one pass, not "
        "slower than tar and sha256sum after each other",
        rate["ours"],
        "MB/s",
        rate["tar"],
        "tar --list, sha256sum",
        target=rate["tar"],
        limit=rate["alone"],
        limit_is="zlib and hash of the same bytes",
        rounds=3,
        rates={"archive_speed": size / seconds["ours"]},
    )


if __name__ == "__main__":
    main(measure)
