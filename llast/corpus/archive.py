"""Read Common Voice releases, as archives or unpacked folders, and CoVoST-2 tables, in one pass each.

A release is flat up to version 4 (`validated.tsv`, `clips/*.mp3`) and nested from version 5 on
(`cv-corpus-5/fr/validated.tsv`, ...); its root is the folder of `validated.tsv`.
"""

import hashlib
import io
import os
import posixpath
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.containers import is_archive, members, open_file
from llast.errors import DataError
from llast.languages import LANGUAGES
from llast.progress import progress

MAX_CLIP_BYTES = 64 << 20
"""A clip has some 40 kB. Archives can claim any size in a few bytes, and clips are read into memory."""
MAX_TABLE_BYTES = 1 << 31
"""Common Voice's largest validated.tsv has less than 1 GB; tables are read into memory."""
AUDIO_ENDINGS = frozenset(
    "mp3 wav flac ogg oga opus m4a mp4 aac webm wma aif aiff aifc au snd sph nist caf w64 rf64 voc amr raw".split()
)
"""Of files that hold clips; another ending belongs to the clip's name."""


def clip_id(path: str) -> str:
    """The name by which all steps know a clip, whatever wrote its path: sentences, tables, rows and audio meet by it.

    The file name without folder and without endings of audio files (`.mp3.wav` is two of them; `talk.1` has none), in
    Unicode's composed form, for macOS writes names in the decomposed one.
    """
    name = path.rsplit("/", 1)[-1]
    while (dot := name.rfind(".")) > 0 and name[dot + 1 :].lower() in AUDIO_ENDINGS:
        name = name[:dot]
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def inspect(path: Path, language: str) -> tuple[FetchedAudio, bytes]:
    """Read a Common Voice archive or folder once: size, digest and root, and its `validated.tsv`.

    Of several roots in one archive, the one whose folder is named like the language counts. The digest of a folder is
    over `validated.tsv` and names, sizes and times of change of the clips.

    Raises:
        DataError: the archive is missing, damaged or hostile, or holds no `validated.tsv`.
    """
    if path.is_dir():
        audio, validated, _ = _inspect_root(path, find_root(path, language))
        return audio, validated
    found: dict[str, bytes] = {}
    example = ""
    digest = hashlib.sha256()
    with open_file(path) as file:
        for member in progress(members(file, path, digest), f"read {path.name}", unit="file"):
            if posixpath.basename(member.name) == "validated.tsv":
                found[posixpath.dirname(member.name)] = member.read(MAX_TABLE_BYTES)
            elif "clips" in member.name.split("/")[:-1]:
                example = example or member.name
    root = _choose_root(list(found), path, language)
    return _audio(path, root, path.stat().st_size, digest.hexdigest(), example), found[root]


def read_clips(audio: FetchedAudio, wanted: Collection[str]) -> Iterator[tuple[str, bytes | Path]]:
    """Yield id and bytes of each wanted clip, once each, in the order of the archive (of a folder: by name).

    Args:
        audio: Common Voice archive or folder, as `inspect` found it.
        wanted: clip ids; the extension of the file does not matter.

    Raises:
        DataError: the archive is missing, damaged, hostile, or not the one that was fetched; a clip has files in two
            folders.
    """
    wanted, path = set(wanted), Path(audio.path)
    # What is here already is no input of a rule: nothing else notices that another release took its place.
    if path.is_file() and path.stat().st_size != audio.bytes:
        raise not_fetched(path)
    if not wanted:
        return
    folder = posixpath.join(audio.root, "clips")
    if path.is_dir():
        now, _, names = _inspect_root(path, audio.root)
        if now.sha256 != audio.sha256:
            raise not_fetched(path)
        for clip, name in wanted_files(names, wanted):
            yield clip, clip_content(path / folder / name)
        return
    found: dict[str, str] = {}
    with open_file(path) as file:
        for member in members(file, path):  # to the end: there may be a second file of a clip
            if member.name.startswith(f"{folder}/") and (clip := clip_id(member.name)) in wanted:
                if clip in found:
                    _require_one_folder(clip, found[clip], member.name)
                else:
                    found[clip] = member.name
                    yield clip, member.read(MAX_CLIP_BYTES)


def not_fetched(path: Path) -> DataError:
    """The error of an archive or folder that has changed since it was fetched."""
    return DataError(
        f"{path} is not what the step fetch has read: it has changed. Run that step again "
        "(snakemake --forcerun fetch)."
    )


def clip_content(path: Path) -> bytes | Path:
    """What a file of a clip holds; of one that is too large for any, its path, since it is not to be read."""
    return path if path.stat().st_size > MAX_CLIP_BYTES else path.read_bytes()


def read_table(path: Path) -> bytes:
    """Bytes of a CoVoST-2 table: a plain `.tsv`, or the only `.tsv` in an archive.

    Raises:
        DataError: the file is missing, damaged or hostile, or does not hold exactly one table.
    """
    with open_file(path) as file:
        if not is_archive(file):
            return read_whole(file, path)
        tables = [
            member.read(MAX_TABLE_BYTES)
            for member in members(file, path)
            if member.name.endswith(".tsv") and not posixpath.basename(member.name).startswith("._")
        ]
    if len(tables) != 1:
        raise DataError(
            f"{path} holds {len(tables)} .tsv files; a CoVoST-2 archive holds one. Fetch it again."
        )
    return tables[0]


def read_whole(file: io.BufferedReader, path: Path) -> bytes:
    """Content of a file that is a table.

    Raises:
        DataError: it is larger than any.
    """
    if (size := os.fstat(file.fileno()).st_size) > MAX_TABLE_BYTES:
        raise DataError(
            f"{path} has {size:,} bytes; no table of Common Voice has {MAX_TABLE_BYTES:,}. Is it damaged?"
        )
    return file.read()


def _choose_root(roots: list[str], path: Path, language: str) -> str:
    named = [root for root in roots if posixpath.basename(root) == language]
    chosen = named if len(roots) > 1 else roots
    if len(chosen) == 1:
        name = posixpath.basename(chosen[0])
        if name in LANGUAGES and name != language:
            raise DataError(
                f"{path} holds the release of '{name}' ({chosen[0]}), not of '{language}'. Put the right one there, or "
                "correct source in the corpus's file."
            )
        return chosen[0]
    found = f"has several: {', '.join(sorted(roots))}" if roots else "holds no validated.tsv"
    raise DataError(
        f"{path} {found}. The Common Voice release of '{language}' has one validated.tsv beside clips/."
    )


def find_root(path: Path, language: str) -> str:
    """Where in a folder the release of a language is; links to folders are followed, each once.

    Raises:
        DataError: nowhere, or in several places.
    """
    roots = []
    seen = {path.resolve()}
    for folder, subfolders, files in os.walk(path, followlinks=True):
        # Not into clips/, a million files, nor a second time into a folder that a link leads to.
        inner = [(name, (Path(folder) / name).resolve()) for name in subfolders if name != "clips"]
        subfolders[:] = [name for name, target in inner if target not in seen]
        seen.update(target for _, target in inner)
        if "validated.tsv" in files:
            roots.append(Path(folder).relative_to(path).as_posix())
    return _choose_root(["" if root == "." else root for root in roots], path, language)


def _inspect_root(path: Path, root: str) -> tuple[FetchedAudio, bytes, list[str]]:
    """Of a folder whose release lies in `root`: what is known of it, its `validated.tsv`, and its clips."""
    with open_file(path / root / "validated.tsv") as file:
        validated = read_whole(file, path / root / "validated.tsv")
    digest = hashlib.sha256(validated)
    total = 0
    clips = path / root / "clips"
    names = sorted_files(clips, "A Common Voice folder has clips/ beside validated.tsv.")
    for name in names:
        state = os.stat(clips / name)
        total += state.st_size
        digest.update(f"{name}\t{state.st_size}\t{state.st_mtime_ns}\n".encode())
    return _audio(path, root, total, digest.hexdigest(), *names[:1]), validated, names


def _audio(path: Path, root: str, size: int, sha256: str, example: str = "") -> FetchedAudio:
    return FetchedAudio(
        reader="release", path=str(path), root=root, bytes=size, sha256=sha256, example=example
    )


def sorted_files(folder: Path, remedy: str, key: Callable[[str], Any] | None = None) -> list[str]:
    """Paths of the files in a folder and those below, from there; of millions of clips, the text only, since an entry
    takes five times as much.

    Raises:
        DataError: there is no such folder; `remedy` says what to do.
    """
    found: list[str] = []
    folders, seen = [""], set()
    while folders:
        below = folders.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    if entry.is_file():
                        found.append(below + entry.name)
                    elif entry.is_dir() and (place := os.path.realpath(entry.path)) not in seen:
                        seen.add(place)  # a link may lead back
                        folders.append(f"{below}{entry.name}/")
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"{folder} does not exist. {remedy}") from None
    return sorted(found, key=key)


def wanted_files(names: Sequence[str], wanted: Collection[str]) -> list[tuple[str, str]]:
    """Each wanted clip with its file, in the order of the names; of `x.wav` and `x.mp3.wav` in one folder, the first.

    Raises:
        DataError: a clip has files in two folders, and nothing says which of them is meant.
    """
    found: dict[str, str] = {}
    for name in names:
        if (clip := clip_id(name)) in wanted:
            _require_one_folder(clip, found.setdefault(clip, name), name)
    return list(found.items())


def _require_one_folder(clip: str, first: str, name: str) -> None:
    """See that two files of a clip differ in their endings only."""
    if posixpath.dirname(first) != posixpath.dirname(name):
        raise DataError(
            f"{first} and {name} are both the clip '{clip}': clips are told apart by the names of their files, "
            "without folder and ending. Give each a name of its own, in the tables too, or take one away."
        )
