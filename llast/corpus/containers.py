"""Archives, read member by member from first to last: tar, plain or packed with gzip, bzip2 or xz, and zip.

Nothing is ever unpacked to disk, and members that a speech corpus has no use for (absolute or `..` paths, links,
devices, giant headers) are refused.
"""

import bz2
import gzip
import lzma
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from llast.errors import DataError

if TYPE_CHECKING:
    import hashlib
    import io

MAX_HEADER_BYTES = 1 << 16
"""A header of a long name takes a few hundred bytes; tarfile would read one of any size, and many, into memory."""
MAX_MEMBER_BYTES = 1 << 36
"""tarfile would step for ever over a member that claims 2^80."""
UNPACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""What unpacks a stream, by how it begins."""
_ZIP = b"PK"
_FOREIGN = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"\x04\x22\x4d\x18": "lz4",
}
"""What the standard library does not read, by how it begins."""
_BEGINNING = 6
"""Bytes that tell them apart."""
_READ_BYTES = 1 << 16
_HEADER_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_NO_FILE = ("is no regular file", "write what it holds into one, and name that one")
KINDS = "tar, .tar.gz, .tar.bz2, .tar.xz or .zip"


@dataclass(frozen=True)
class Member:
    """A regular file of an archive, which can be read until the next one comes.

    Attributes:
        archive: path of the archive.
        name: in the archive, without a leading `./`.
        size: in bytes, as the archive has it.
    """

    archive: Path
    name: str
    size: int
    _content: IO[bytes]

    def read(self, limit: int) -> bytes:
        """Its content.

        Raises:
            DataError: it is longer than `limit` bytes, or the archive is damaged.
        """
        if self.size > limit:
            raise DataError(
                f"{self.archive}: the member '{self.name}' has {self.size:,} bytes; nothing of its kind in Common "
                f"Voice has more than {limit:,}. Archive refused."
            )
        with _damage(self.archive):
            return self._content.read()

    def read_through(self) -> None:
        """Read what is left of it, which compares its digest, where it has one."""
        while self._content.read(_READ_BYTES):
            pass


def open_file(path: Path) -> "io.BufferedReader":
    """Open a regular file: a pipe or a device would be waited for without end.

    Raises:
        DataError: there is none.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist. Run the step fetch again, or correct the corpus's source.")
    if path.is_dir():
        raise _refused(path, "is a folder, not a file", "correct the corpus's source")
    if not path.is_file():
        raise _refused(path, *_NO_FILE)
    return path.open("rb")


def is_archive(file: "io.BufferedReader") -> bool:
    """Whether a file is an archive, or packed as one; else it is what it holds."""
    start = file.peek(512)
    return start.startswith((*UNPACKED, *_FOREIGN, _ZIP)) or start[257:262] == b"ustar"


def unreadable(path: Path) -> tuple[str, str] | None:
    """Why a file cannot be read, and what to do about it, as far as its first bytes tell; None if it perhaps can."""
    if path.is_dir():
        return None
    if not path.is_file():
        return _NO_FILE
    with path.open("rb") as file:
        start = file.read(_BEGINNING)
    if not start:
        return "is empty", "put a whole one in its place"
    for beginning, kind in _FOREIGN.items():
        if start.startswith(beginning):
            return (
                f"is packed with {kind}, which is not read",
                f"unpack it and name its folder, or pack it as {KINDS}",
            )
    return None


def members(file: "io.BufferedReader", path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[Member]:
    """Regular files of an archive, in order.

    Args:
        file: the archive, at its beginning.
        path: its path, for messages.
        digest: takes in the whole archive; then all members are read to their ends, which shows damage.

    Raises:
        DataError: it is damaged, hostile, or of a kind that is not read.
    """
    if found := unreadable(path):
        raise _refused(path, *found)
    start = file.peek(_BEGINNING)
    with _damage(path):
        if start.startswith(_ZIP):
            yield from _zip(file, path, digest)
        else:
            yield from _tar(file, path, digest, start)


def get_again(path: Path) -> str:
    """What to do about a damaged file: only what was downloaded can be had again by deleting it."""
    if path.with_name(path.name + ".sha256").exists():
        return "Delete it and run the step fetch again."
    return "Put a whole one in its place, or name another one in the corpus's file."


class _Hashing:
    """A file that is digested while it is read."""

    def __init__(self, file: "io.BufferedReader", digest: "hashlib._Hash") -> None:
        self.file = file
        self.digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        return data


class _TarMember(tarfile.TarInfo):
    """A tar member that refuses extended headers of a size that no real archive has."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADER_TYPES and self.size > MAX_HEADER_BYTES:
            raise DataError(
                f"{archive.name!s} has a header of {self.size:,} bytes: not a Common Voice archive. Refused."
            )
        return super()._proc_member(archive)  # type: ignore[misc]


def _tar(
    file: "io.BufferedReader", path: Path, digest: "hashlib._Hash | None", start: bytes
) -> Iterator[Member]:
    raw: Any = _Hashing(file, digest) if digest else file
    unpack = next((unpack for beginning, unpack in UNPACKED.items() if start.startswith(beginning)), None)
    stream: Any = unpack(raw) if unpack else raw
    with tarfile.open(str(path), "r|", fileobj=stream, bufsize=_READ_BYTES, tarinfo=_TarMember) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else a record of each clip
            archive.pax_headers = {}  # global headers add up
            name = _checked(info.name, info.size, info.isfile() or info.isdir(), path)
            content = archive.extractfile(info) if info.isfile() else None
            if content is not None:
                yield Member(path, name, info.size, content)
    for rest in (stream, raw):  # gzip and xz check their digests at the end
        while rest.read(_READ_BYTES):
            pass


def _zip(file: "io.BufferedReader", path: Path, digest: "hashlib._Hash | None") -> Iterator[Member]:
    """Its list of members stands at its end, so its digest takes a pass of its own."""
    while digest and (piece := file.read(_READ_BYTES)):
        digest.update(piece)
    with zipfile.ZipFile(file) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            mode = info.external_attr >> 16
            plain = not stat.S_IFMT(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)
            written = info.filename if "/" in info.filename else info.filename.replace("\\", "/")
            name = _checked(written, info.file_size, plain, path)
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise DataError(
                    f"{path} has a password. Unpack it, and name its folder in the corpus's file."
                )
            with archive.open(info) as content:
                member = Member(path, name, info.file_size, content)
                yield member
                if digest:
                    member.read_through()


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Errors of the libraries that read archives, as messages."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        NotImplementedError,  # a method of compression that zipfile has not
        EOFError,
        zlib.error,
        lzma.LZMAError,
        RecursionError,
        ValueError,  # what tarfile makes of numbers in extended headers that are none
    ) as error:
        raise _damaged(path, error) from None
    except OSError as error:
        if error.errno is not None:  # of the disk, not of the data
            raise
        raise _damaged(path, error) from None


def _refused(path: Path, reason: str, remedy: str) -> DataError:
    return DataError(f"{path} {reason}. {remedy[0].upper()}{remedy[1:]}.")


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a complete archive ({KINDS}): {error}. {get_again(path)}")


def _checked(name: str, size: int, plain: bool, path: Path) -> str:
    """The normal form of a member's name."""
    if name.startswith("/") or ".." in name.split("/"):
        problem = "leads out of the archive"
    elif size > MAX_MEMBER_BYTES:
        problem = f"claims {size:,} bytes"
    elif not plain:
        problem = "is a link or a device"
    else:
        return posixpath.normpath(name)
    raise DataError(f"{path}: the member '{name}' {problem}; Common Voice has no such. Archive refused.")
