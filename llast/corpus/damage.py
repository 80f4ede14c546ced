"""Set damaged rows of `validated.tsv` aside: a release has a million rows, and most are of no use to CoVoST-2."""

import io
import re
import sys
from collections.abc import Iterable, Set
from pathlib import Path

from llast.artifacts import atomic_path
from llast.corpus.archive import clip_id
from llast.corpus.tsv import Row, Rows
from llast.errors import DataError

COLUMNS = ("path", "sentence", "client_id")
"""What later steps read of `validated.tsv`."""
DAMAGED = "validated.damaged.tsv"
"""The rows that were set aside, as they stood; lies beside `validated.tsv` if there are any."""
_NAME = re.compile(r"[\w./-]+\.\w+")
"""What may be the name of a clip."""


def write_sound_rows(validated: bytes, name: str, needed: Set[str], output: Path) -> int:
    """Write the sound rows of a `validated.tsv`, as they stand, and beside them the damaged ones, as `DAMAGED`.

    Damaged are rows with too many fields, or with so few that the clip, its sentence or its speaker has none, with
    bytes that are no UTF-8, or with a NUL. Other rows that lack fields are read as the official script reads them,
    unless they name a needed clip that no row has under `path`: those have lost a tab between two of these columns.

    Args:
        validated: the table.
        name: what messages call it.
        needed: ids of the clips that tables refer to.
        output: file to write.

    Returns:
        the number of damaged rows.

    Raises:
        DataError: it is no such table, all of its rows are damaged, or some of them are of needed clips.
    """
    rows = Rows(io.BytesIO(validated), name, COLUMNS)
    path, least = rows.header.index("path"), 1 + max(map(rows.header.index, COLUMNS))
    missing, sound = set(needed), 0
    damaged: list[Row] = []
    suspicious: list[Row] = []
    for row in rows:
        few = f"has {len(row.fields)} fields, the header {len(rows.header)}"
        if row.damage or len(row.fields) < least:
            damaged.append(row if row.damage else row._replace(damage=few))
            continue
        clip = clip_id(row.fields[path])
        if len(row.fields) == len(rows.header) or (clip in needed and _is_name(row.fields[path])):
            missing.discard(clip)
        elif _clips(row) & needed:
            suspicious.append(row._replace(damage=few))
        sound += 1
    for row in damaged + suspicious:
        if clips := _clips(row) & missing:
            raise DataError(
                f"{name}: {_say(row)}, and the tables need its clip {min(clips)}. Fetch it again; if it is damaged "
                "there too, unpack it, mend that row of validated.tsv and name the folder in the corpus's file: "
                "source: {kind: local, audio: FOLDER}."
            )
    if damaged and not sound:
        raise DataError(
            f"{name}: all of its {len(damaged):,} rows are damaged: {_say(damaged[0])}. Fetch it again."
        )
    aside = output.with_name(DAMAGED)
    aside.unlink(missing_ok=True)
    if not damaged:
        _write(output, validated)
        return 0
    _write(aside, _as_bytes(rows, damaged))
    numbers = {row.number for row in damaged}
    again = Rows(io.BytesIO(validated), name, COLUMNS)
    _write(output, _as_bytes(again, (row for row in again if row.number not in numbers)))
    print(
        f"fetch: {name}: rows that are damaged: {len(damaged):,}, such as {_say(damaged[0])}; no table needs them. "
        f"They are set aside in {aside}",
        file=sys.stderr,
    )
    return len(damaged)


def _is_name(path: str) -> bool:
    """Whether a file's name ends in what may be an extension, or has none; one with a sentence behind it does not."""
    _, dot, extension = path.rpartition(".")
    return not dot or (len(extension) <= 5 and extension.isascii() and extension.isalnum())


def _clips(row: Row) -> set[str]:
    """The clips that a damaged row may be of; a lost tab leaves a word at the ending of a name."""
    pieces = [*row.fields, *_NAME.findall(row.raw)]
    return {clip_id(name) for piece in pieces for name in (piece, piece.rpartition(".")[0])}


def _as_bytes(rows: Rows, chosen: Iterable[Row]) -> bytes:
    """A table of some rows, as they stood."""
    lines = (row.raw if row.raw.endswith(("\r", "\n")) else row.raw + "\n" for row in chosen)
    return "".join([rows.raw_header, *lines]).encode(errors="surrogateescape")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _say(row: Row) -> str:
    return f"data row {row.number} {row.damage}"
