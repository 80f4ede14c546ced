"""The rows of an experiment on disk: Arrow files, memory-mapped, so that all ranks share their pages."""

from pathlib import Path
from typing import Literal

import pyarrow as pa

from llast.artifacts import atomic_path
from llast.errors import DataError

ROWS = pa.schema(
    [
        ("clip", pa.string()),
        ("source", pa.string()),
        ("task", pa.string()),
        ("target", pa.string()),
        ("text", pa.large_string()),  # 32-bit offsets end at 2 GiB of text
        ("seconds", pa.float64()),
        ("copy", pa.int32()),
        ("speed", pa.float64()),
    ]
)
"""`seconds` are those that the model hears: of the clip, divided by `speed`."""


Kind = Literal["rows", "dev"]
"""What is trained on, and what the loss is measured on besides."""


def rows_path(summary: Path, kind: Kind = "rows") -> Path:
    """The rows beside a summary of the step mix."""
    return summary.parent / f"{kind}.arrow"


def write_rows(summary: Path, rows: pa.Table, kind: Kind = "rows") -> None:
    """Write the rows beside what is going to be the summary, atomically and as one batch."""
    rows = rows.combine_chunks()
    with atomic_path(rows_path(summary, kind)) as temporary, pa.ipc.new_file(str(temporary), ROWS) as out:
        out.write_table(rows)


def open_rows(summary: Path, kind: Kind = "rows") -> pa.RecordBatch:
    """The rows beside a summary, memory-mapped: any number of them opens at once and takes no memory of its own.

    Raises:
        DataError: the file is missing, damaged or empty.
    """
    path = rows_path(summary, kind)
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read ({error}). Run the step mix again.") from None
    if file.num_record_batches != 1:
        raise DataError(f"{path} has no rows. {summary} says what was dropped and why.")
    return file.get_batch(0)
