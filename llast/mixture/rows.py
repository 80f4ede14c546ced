"""The training rows of an experiment on disk: one Arrow file, memory-mapped, so that all ranks share its pages."""

from pathlib import Path

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


def rows_path(summary: Path) -> Path:
    """The rows beside a summary of the step mix."""
    return summary.parent / "rows.arrow"


def write_rows(summary: Path, rows: pa.Table) -> None:
    """Write the rows beside what is going to be the summary, atomically and as one batch."""
    rows = rows.combine_chunks()
    with atomic_path(rows_path(summary)) as temporary, pa.ipc.new_file(str(temporary), ROWS) as out:
        out.write_table(rows)


def open_rows(summary: Path) -> pa.RecordBatch:
    """The rows beside a summary, memory-mapped: any number of them opens at once and takes no memory of its own.

    Raises:
        DataError: the file is missing, damaged or empty.
    """
    path = rows_path(summary)
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read ({error}). Run the step mix again.") from None
    if file.num_record_batches != 1:
        raise DataError(f"{path} has no rows. {summary} says what was dropped and why.")
    return file.get_batch(0)
