"""Files that later steps trust: written under a temporary name, synced, renamed."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llast.config.layout import model_files
from llast.errors import DataError
from llast.temporary import temporary_file


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success sync it and rename it to `path`.

    The suffix is kept, for writers that look at it. On an error nothing is left behind; after a kill, until the next
    file is written to the folder.
    """
    with temporary_file(path) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        follow_umask(temporary)  # mkstemp makes private files
        temporary.rename(path)


def follow_umask(path: Path) -> None:
    """Give a file, or every file in a folder, the mode that new files have: others of a group read our results.

    For what a library has written under a private temporary name, as safetensors does.
    """
    mode = 0o666 & ~_umask()
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file() and not file.is_symlink() and stat.S_IMODE(file.stat().st_mode) != mode:
            file.chmod(mode)


def _umask() -> int:
    """The umask of this process, which the system call tells only by setting it, for other threads as well."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with newlines as they are."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented and ending in a newline."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that a step has written.

    Raises:
        DataError: the file is missing, is none (a pipe would be waited for), or is not JSON.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a file. Move it away and run the step that writes it.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Run the step that writes it first.") from None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or brackets without end
        raise DataError(
            f"{path} is not valid JSON ({error}). Delete it and run snakemake again: its step writes it anew."
        ) from None


def spec_hash(spec: Any) -> str:
    """A short stable name for a JSON-like value: what folders that survive an interruption are keyed by."""
    canonical = json.dumps(spec, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Where two JSON-like values differ: dotted keys, each with both values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        inner = [differences(found.get(key), wanted.get(key), f"{name}.{key}") for key in keys]
        return [difference for part in inner for difference in part]
    return [] if found == wanted else [f"{name.removeprefix('.')} (there {found!r}, now {wanted!r})"]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(folder: Path) -> str:
    """A short name for what the files of a model hold, wherever the folder lies."""
    return spec_hash([[file.name, sha256_of(file)] for file in model_files(folder)])
