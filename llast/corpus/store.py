"""The audio of a language: 16 kHz FLAC in Arrow shards, with random access by clip id.

Layout of a store folder, written by the step resample:

- `shard-00000.arrow`, ...: Arrow IPC streams with the columns clip (string), seconds (float64) and flac
  (binary), which `datasets.Dataset.from_file` opens as well; for clips that stay in place, file (string), not flac;
- `index.arrow`: an Arrow IPC file sorted by clip: clip, seconds, shard (int32), row in the shard (int32).

Everything is memory-mapped: opening a store costs the same for 300 clips and 300,000, and processes that open
the same store share its pages.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from llast.artifacts import atomic_path
from llast.artifacts.corpus import ResampleSummary
from llast.corpus.decode import DecodedClip, decode_file, decode_flac
from llast.errors import DataError

SHARD = pa.schema([("clip", pa.string()), ("seconds", pa.float64()), ("flac", pa.binary())])
SHARD_IN_PLACE = pa.schema([("clip", pa.string()), ("seconds", pa.float64()), ("file", pa.string())])
INDEX = pa.schema(
    [("clip", pa.string()), ("seconds", pa.float64()), ("shard", pa.int32()), ("row", pa.int32())]
)
CLIPS_PER_BATCH = 256
"""Clips per record batch: bounds the writer's memory, and a batch stays far below Arrow's 2 GiB of bytes."""


class AudioStore:
    """The clips of one source language, by clip id."""

    def __init__(self, folder: Path) -> None:
        """Open a store folder; `AudioStore.open` finds it by the step's summary.

        Raises:
            DataError: the folder has no complete store.
        """
        self.folder = folder
        index = _map(folder / "index.arrow", stream=False)
        self._clips = _Strings(_array(index["clip"]))
        self._seconds = _array(index["seconds"])
        self._shard = _array(index["shard"])
        self._row = _array(index["row"])
        self._audio: dict[int, pa.ChunkedArray] = {}

    @classmethod
    def open(cls, summary: Path) -> "AudioStore":
        """Open the store beside the summary that the step resample has written."""
        return cls(summary.parent / ResampleSummary.read(summary).details.store)

    def __reduce__(self) -> tuple[type["AudioStore"], tuple[Path]]:
        return AudioStore, (self.folder,)

    def __len__(self) -> int:
        return len(self._clips)

    def __contains__(self, clip: str) -> bool:
        return self._find(clip) is not None

    @property
    def clips(self) -> list[str]:
        """All clip ids, sorted."""
        return self._clips.array.to_pylist()

    def seconds(self, clip: str) -> float | None:
        """Length of a clip in seconds; None if the store does not have it. For many clips use `durations`."""
        position = self._find(clip)
        return None if position is None else self._seconds[position].as_py()

    def durations(self) -> dict[str, float]:
        """Length of every clip in seconds."""
        return dict(zip(self.clips, self._seconds.to_pylist(), strict=True))

    def samples(self, clip: str) -> np.ndarray:
        """Signal of a clip: float32 of shape (samples,) at 16 kHz.

        Raises:
            DataError: the store does not have the clip.
        """
        position = self._find(clip)
        if position is None:
            raise DataError(
                f"{self.folder} has no clip '{clip}'. Run filter and mix again: their rows are older."
            )
        shard = self._shard[position].as_py()
        if shard not in self._audio:
            self._audio[shard] = _map(shard_path(self.folder, shard), stream=True).column(2)
        audio = self._audio[shard][self._row[position].as_py()].as_py()
        return decode_file(audio) if isinstance(audio, str) else decode_flac(audio)

    def _find(self, clip: str) -> int | None:
        position = bisect_left(self._clips, clip)
        return position if position < len(self._clips) and self._clips[position] == clip else None


class _Strings(Sequence[str]):
    """A string column as a sequence, for bisect: only the entries looked at are made Python objects."""

    def __init__(self, array: pa.StringArray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.array[index].as_py()


def shard_path(folder: Path, number: int) -> Path:
    """Path of a shard of a store."""
    return folder / f"shard-{number:05d}.arrow"


def write_shard(path: Path, clips: Iterator[DecodedClip], limit: int) -> int:
    """Write up to `limit` clips into a shard, atomically; returns their number. With none, writes nothing."""
    first = list(islice(clips, 1))
    if not first:
        return 0
    count = 0
    schema = SHARD_IN_PLACE if first[0].file else SHARD
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as out,
    ):
        batch = first + list(islice(clips, min(limit, CLIPS_PER_BATCH) - 1))
        while batch:
            columns = [[c.clip for c in batch], [c.seconds for c in batch], [c.file or c.flac for c in batch]]
            out.write_batch(pa.record_batch(columns, schema=schema))
            count += len(batch)
            batch = list(islice(clips, min(limit - count, CLIPS_PER_BATCH)))
    return count


def complete_shards(folder: Path) -> list[list[str]]:
    """Clip ids of the shards of an interrupted run, in order, up to the first that is missing or unreadable.

    What lies behind that one is deleted, and so are temporary files of a killed run.
    """
    for stray in folder.glob(".*.arrow"):
        stray.unlink()
    shards: list[list[str]] = []
    while (path := shard_path(folder, len(shards))).exists():
        try:
            shards.append(_map(path, stream=True)["clip"].to_pylist())
        except DataError:
            break
    for path in folder.glob("shard-*.arrow"):
        if path.name >= shard_path(folder, len(shards)).name:
            path.unlink()
    return shards


def write_index(folder: Path, shards: int) -> tuple[int, float]:
    """Write `index.arrow` over the first `shards` shards of a store; returns their clips and seconds.

    Raises:
        DataError: a shard is missing or unreadable.
    """
    parts = [INDEX.empty_table()]
    for shard in range(shards):
        table = _map(shard_path(folder, shard), stream=True)
        place = [
            pa.array(np.full(len(table), shard, np.int32)),
            pa.array(np.arange(len(table), dtype=np.int32)),
        ]
        parts.append(pa.table([table["clip"], table["seconds"], *place], schema=INDEX))
    index = pa.concat_tables(parts).sort_by("clip").combine_chunks()
    with atomic_path(folder / "index.arrow") as temporary, pa.ipc.new_file(str(temporary), INDEX) as out:
        out.write_table(index)
    return len(index), float(np.sum(index["seconds"].to_numpy()))


def _array(column: pa.ChunkedArray) -> pa.Array:
    """The only chunk of an index column, still memory-mapped."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _map(path: Path, stream: bool) -> pa.Table:
    try:
        source = pa.memory_map(str(path))
        reader = pa.ipc.open_stream(source) if stream else pa.ipc.open_file(source)
        return reader.read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read ({error}). Run the step resample again.") from None
