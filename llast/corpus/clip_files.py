"""Clips that lie as files in a folder or those below it."""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.archive import clip_content, not_fetched, sorted_files, wanted_files


def inspect(folder: Path, in_place: bool) -> FetchedAudio:
    """List a folder of clips, which `read_clips` reads; the digest is over names, sizes and times of change.

    Args:
        folder: with a file per clip.
        in_place: whether the clips stay there, and later steps read them from there.

    Raises:
        DataError: there is no such folder.
    """
    digest, total = hashlib.sha256(f"{folder.absolute() if in_place else 'copied'}\n".encode()), 0
    names = _names(folder)
    for name in names:
        state = os.stat(folder / name)
        total += state.st_size
        digest.update(f"{name}\t{state.st_size}\t{state.st_mtime_ns}\n".encode())
    return FetchedAudio(
        reader="files",
        path=str(folder),
        bytes=total,
        sha256=digest.hexdigest(),
        in_place=in_place,
        example=next(iter(names), ""),
    )


def read_clips(audio: FetchedAudio, wanted: Collection[str]) -> Iterator[tuple[str, bytes | Path]]:
    """Yield id and content of each wanted clip, once each; the absolute path of one that stays in place.

    Raises:
        DataError: there is no such folder, its files are not those that were fetched, or a clip is in two folders.
    """
    folder = Path(audio.path)
    if inspect(folder, audio.in_place).sha256 != audio.sha256:
        raise not_fetched(folder)
    for clip, name in wanted_files(_names(folder), wanted):
        path = (folder / name).absolute()
        yield clip, path if audio.in_place else clip_content(path)


def _names(folder: Path) -> list[str]:
    """Shorter names first, so that `{clip}.wav` is preferred to `{clip}.mp3.wav`."""
    return sorted_files(
        folder,
        "A prepared folder has its clips there, as 16 kHz wav files; correct source.folder in the corpus's file.",
        key=lambda name: (len(name), name),
    )
