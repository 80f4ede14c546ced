"""Read Common Voice releases, as archives or unpacked folders, and CoVoST-2 tables, in one pass each.

A release is flat up to version 4 (`validated.tsv`, `clips/*.mp3`) and nested from version 5 on
(`cv-corpus-5/fr/validated.tsv`, ...); its root is the folder of `validated.tsv`. Nothing is ever unpacked to
disk, and members that a speech corpus has no use for (absolute or `..` paths, links, devices, giant headers)
are refused.
"""

import gzip
import hashlib
import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any

from llast.artifacts.corpus import FetchedAudio
from llast.errors import DataError
from llast.progress import progress

MAX_HEADER_BYTES = 1 << 16
"""A header of a long name takes a few hundred bytes; tarfile would read one of any size, and many, into memory."""
MAX_MEMBER_BYTES = 1 << 36
"""The largest member is validated.tsv, with less than 1 GB. tarfile would step for ever over one that claims 2^80."""
MAX_CLIP_BYTES = 64 << 20
"""A clip has some 40 kB. Archives can claim any size in a few bytes, and clips are read into memory."""
GZIP = b"\x1f\x8b"
_READ_BYTES = 1 << 16
_HEADER_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def clip_id(path: str) -> str:
    """The name by which all steps know a clip: its file name without folder and extension (`.mp3.wav` is one)."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0].removesuffix(".mp3")


def inspect(path: Path, language: str) -> tuple[FetchedAudio, bytes]:
    """Read a Common Voice archive or folder once: size, digest and root, and its `validated.tsv`.

    Of several roots in one archive, the one whose folder is named like the language counts. The digest of a folder is
    over `validated.tsv` and names and sizes of the clips.

    Raises:
        DataError: the archive is missing, damaged or hostile, or holds no `validated.tsv`.
    """
    if path.is_dir():
        return _inspect_folder(path, language)
    found: dict[str, bytes] = {}
    digest = hashlib.sha256()
    with _open(path) as file:
        for name, content in progress(_members(file, path, digest), f"read {path.name}", unit="file"):
            if posixpath.basename(name) == "validated.tsv":
                found[posixpath.dirname(name)] = content.read()
    root = _choose_root(list(found), path, language)
    return _audio(path, root, path.stat().st_size, digest.hexdigest()), found[root]


def read_clips(audio: FetchedAudio, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield id and bytes of each wanted clip, once each, in the order of the archive (of a folder: by name).

    Args:
        audio: Common Voice archive or folder, as `inspect` found it.
        wanted: clip ids; the extension of the file does not matter.

    Raises:
        DataError: the archive is missing, damaged, hostile, or not the one that was fetched.
    """
    left, path = set(wanted), Path(audio.path)
    # What is here already is no input of a rule: nothing else notices that another archive took its place.
    if path.is_file() and path.stat().st_size != audio.bytes:
        raise DataError(
            f"{path} is not the archive that the step fetch has read: its size has changed. Run that step again "
            "(snakemake --forcerun fetch)."
        )
    if not left:
        return
    folder = posixpath.join(audio.root, "clips")
    if path.is_dir():
        for name in sorted_files(path / folder, "A Common Voice folder has clips/ beside validated.tsv."):
            if (clip := clip_id(name)) in left:
                left.remove(clip)
                yield clip, (path / folder / name).read_bytes()
        return
    with _open(path) as file:
        for name, content in _members(file, path):
            if posixpath.dirname(name) == folder and (clip := clip_id(name)) in left:
                left.remove(clip)
                data = content.read(MAX_CLIP_BYTES + 1)
                if len(data) > MAX_CLIP_BYTES:
                    raise DataError(
                        f"{path}: the member '{name}' is larger than {MAX_CLIP_BYTES:,} bytes; no clip of Common Voice "
                        "is. Archive refused."
                    )
                yield clip, data
                if not left:
                    return


def read_table(path: Path) -> bytes:
    """Bytes of a CoVoST-2 table: a plain `.tsv`, or the only `.tsv` in a `.tar.gz`.

    Raises:
        DataError: the file is missing, damaged or hostile, or does not hold exactly one table.
    """
    with _open(path) as file:
        if not _is_archive(file):
            return file.read()
        tables = [
            content.read()
            for name, content in _members(file, path)
            if name.endswith(".tsv") and not posixpath.basename(name).startswith("._")
        ]
    if len(tables) != 1:
        raise DataError(
            f"{path} holds {len(tables)} .tsv files; a CoVoST-2 archive holds one. Fetch it again."
        )
    return tables[0]


class _Hashing:
    """A file that is digested while it is read."""

    def __init__(self, file: io.BufferedReader, digest: "hashlib._Hash") -> None:
        self.file = file
        self.digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        return data


class _Member(tarfile.TarInfo):
    """A tar member that refuses extended headers of a size that no real archive has."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADER_TYPES and self.size > MAX_HEADER_BYTES:
            raise DataError(
                f"{archive.name!s} has a header of {self.size:,} bytes: not a Common Voice archive. Refused."
            )
        return super()._proc_member(archive)  # type: ignore[misc]


def _open(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist. Run the step fetch again, or correct the corpus's source."
        ) from None


def _is_archive(file: io.BufferedReader) -> bool:
    start = file.peek(512)
    return start[:2] == GZIP or start[257:262] == b"ustar"


def _members(
    file: io.BufferedReader, path: Path, digest: "hashlib._Hash | None" = None
) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each regular file of a tar or tar.gz, in order; reads to the very end."""
    compressed = file.peek(2)[:2] == GZIP
    raw: Any = _Hashing(file, digest) if digest else file
    stream: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
    try:
        with tarfile.open(
            str(path),
            "r|",
            fileobj=stream,
            bufsize=_READ_BYTES,
            tarinfo=_Member,
        ) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # else a record of each clip
                archive.pax_headers = {}  # global headers add up
                name = _checked_name(member, path)
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield name, content
        for rest in (stream, raw):  # gzip checks its digest at the end
            while rest.read(_READ_BYTES):
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, RecursionError, ValueError) as error:
        # ValueError: what tarfile makes of numbers in extended headers that are none.
        raise DataError(
            f"{path} is not a complete tar or tar.gz archive ({error}). Delete it and fetch it again."
        ) from None


def _checked_name(member: tarfile.TarInfo, path: Path) -> str:
    if member.name.startswith("/") or ".." in member.name.split("/"):
        problem = "leads out of the archive"
    elif member.size > MAX_MEMBER_BYTES:
        problem = f"claims {member.size:,} bytes"
    elif not (member.isfile() or member.isdir()):
        problem = "is a link or a device"
    else:
        return posixpath.normpath(member.name)
    raise DataError(
        f"{path}: the member '{member.name}' {problem}; Common Voice has no such. Archive refused."
    )


def _choose_root(roots: list[str], path: Path, language: str) -> str:
    named = [root for root in roots if posixpath.basename(root) == language]
    chosen = named if len(roots) > 1 else roots
    if len(chosen) == 1:
        return chosen[0]
    found = f"has several: {', '.join(sorted(roots))}" if roots else "holds no validated.tsv"
    raise DataError(
        f"{path} {found}. The Common Voice release of '{language}' has one validated.tsv beside clips/."
    )


def _inspect_folder(path: Path, language: str) -> tuple[FetchedAudio, bytes]:
    roots = []
    for folder, subfolders, files in os.walk(path):
        if "clips" in subfolders:
            subfolders.remove("clips")  # a million files
        if "validated.tsv" in files:
            roots.append(Path(folder).relative_to(path).as_posix())
    root = _choose_root(["" if root == "." else root for root in roots], path, language)
    validated = (path / root / "validated.tsv").read_bytes()
    digest = hashlib.sha256(validated)
    total = 0
    clips = path / root / "clips"
    for name in sorted_files(clips, "A Common Voice folder has clips/ beside validated.tsv."):
        size = os.stat(clips / name).st_size
        total += size
        digest.update(f"{name}\t{size}\n".encode())
    return _audio(path, root, total, digest.hexdigest()), validated


def _audio(path: Path, root: str, size: int, sha256: str) -> FetchedAudio:
    return FetchedAudio(reader="release", path=str(path), root=root, bytes=size, sha256=sha256)


def sorted_files(folder: Path, remedy: str, key: Callable[[str], Any] | None = None) -> list[str]:
    """Names of the files in a folder; of millions of clips, the names only, since an entry takes five times as much.

    Raises:
        DataError: there is no such folder; `remedy` says what to do.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name for entry in entries if entry.is_file()), key=key)
    except FileNotFoundError:
        raise DataError(f"{folder} does not exist. {remedy}") from None
