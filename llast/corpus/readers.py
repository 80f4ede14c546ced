"""Reading the clips that the step fetch has found, whatever holds them."""

import pkgutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from llast.artifacts.corpus import FetchedAudio
from llast.errors import DataError

READERS = {
    "release": "llast.corpus.archive:read_clips",
    "parquet": "llast.corpus.parquet:read_clips",
    "files": "llast.corpus.clip_files:read_clips",
}
"""By the name that a source gives to what it has fetched: a `Reader`, imported when it is needed."""


class Reader(Protocol):
    """Yields id and content of each wanted clip that is there, once each; the path of one that stays in place."""

    def __call__(
        self, audio: FetchedAudio, wanted: Collection[str]
    ) -> Iterator[tuple[str, bytes | Path]]: ...


def read_clips(audio: FetchedAudio, wanted: Collection[str]) -> Iterator[tuple[str, bytes | Path]]:
    """Read clips with the reader that the audio is for.

    Raises:
        DataError: what holds the clips is missing, damaged, hostile, or not what was fetched.
    """
    if audio.reader not in READERS:
        raise DataError(
            f"nothing here reads clips of {audio.path} as '{audio.reader}'. Run the step fetch again "
            "(snakemake --forcerun fetch)."
        )
    reader: Reader = pkgutil.resolve_name(READERS[audio.reader])
    return reader(audio, wanted)
