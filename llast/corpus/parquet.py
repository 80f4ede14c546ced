"""Clips and their sentences in a folder of parquet files, as `fixie-ai/covost2` on the Hugging Face hub has them."""

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llast.artifacts import sha256_of
from llast.artifacts.corpus import FetchedAudio
from llast.corpus.archive import clip_id
from llast.corpus.containers import get_again
from llast.corpus.download import require_recorded
from llast.corpus.tsv import tsv_bytes
from llast.errors import DataError
from llast.progress import progress

TEXTS = ("id", "sentence", "client_id")
CLIPS_PER_BATCH = 64
"""Clips held at once: some MB."""


def inspect(folder: Path) -> tuple[FetchedAudio, bytes]:
    """Read the texts of all files, each clip once; they come as a `validated.tsv` whose paths are `{id}.mp3`.

    Raises:
        DataError: a file is damaged, not the one that was downloaded, or lacks a column.
    """
    columns: dict[str, list[str]] = {name: [] for name in TEXTS}
    digest, total = hashlib.sha256(), 0
    for path in progress(_files(folder), f"read {folder.name}", unit="file"):
        sha256 = sha256_of(path)
        require_recorded(path, sha256)
        digest.update(f"{path.name}\t{sha256}\n".encode())
        total += path.stat().st_size
        with _open(path) as file:
            _require_columns(file, path)
            table = _read(file, path, list(TEXTS))
        for name, values in columns.items():
            values += [value or "" for value in table[name].to_pylist()]
    columns["id"] = [clip_id(name) for name in columns["id"]]
    first = {clip: row for row, clip in reversed(list(enumerate(columns["id"])))}
    rows = sorted(first.values())
    validated = tsv_bytes(
        {
            "client_id": [columns["client_id"][row] for row in rows],
            "path": [f"{columns['id'][row]}.mp3" for row in rows],
            "sentence": [columns["sentence"][row] for row in rows],
        }
    )
    audio = FetchedAudio(
        reader="parquet",
        path=str(folder),
        bytes=total,
        sha256=digest.hexdigest(),
        example=next(iter(columns["id"]), ""),
    )
    return audio, validated


def read_clips(audio: FetchedAudio, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield id and bytes of each wanted clip, once each, in the order of the files."""
    left = set(wanted)
    for path in _files(Path(audio.path)):
        if not left:
            return
        with _open(path) as file:
            for batch in _batches(file, path):
                ids, sounds = batch.column("id"), batch.column("audio")
                for row, clip in enumerate(map(clip_id, ids.to_pylist())):
                    if clip in left:
                        left.remove(clip)
                        content = sounds[row].as_py() or {}  # null, where the hub has no file
                        yield clip, content.get("bytes") or b""


def _files(folder: Path) -> list[Path]:
    """In the order train, validation, test of CoVoST-2, then by number: that of the official split files."""
    order = {"train": 0, "validation": 1, "test": 2}
    return sorted(
        folder.glob("*.parquet"), key=lambda path: (order.get(path.name.split("-")[0], 3), path.name)
    )


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=False, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from None


def _require_columns(file: pq.ParquetFile, path: Path) -> None:
    names = file.schema_arrow.names
    missing = [name for name in (*TEXTS, "audio") if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}; it has {' '.join(names)}. The repository has to have the "
            "columns of fixie-ai/covost2."
        )


def _read(file: pq.ParquetFile, path: Path, columns: list[str]) -> pa.Table:
    try:
        return file.read(columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from None


def _batches(file: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(CLIPS_PER_BATCH, columns=["id", "audio"])
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a whole parquet file ({error}). {get_again(path)}")
