r"""Tab-separated tables of Common Voice and CoVoST-2, read as the official split script reads them.

Reading rules (`get_covost_splits.py` of facebookresearch/covost: pandas with QUOTE_NONE, escape character
backslash, no NA detection), so that our text equals the official text byte for byte:

- UTF-8, a byte order mark is skipped; lines end at `\n`, `\r\n` or `\r`; blank lines are skipped.
- A quote is an ordinary character. `NA`, `null` and the like are ordinary text.
- A backslash is dropped and the character after it taken as it is, be it a quote (`\"`, as pandas 3 writes
  every quote), a backslash, a tab or a line end.
- Columns are addressed by name, since their order changes between releases.
- A row with too few fields is filled up with empty ones and counted; one with too many is damaged, and so is one
  with bytes that are no UTF-8 or with a NUL.

One rule is ours: a row that loses a field, or takes in the next row, by a backslash before a tab or its end, and has
all its fields if that backslash is text, is read so. Python's csv module before 3.10 escaped tabs, but no backslashes.

The writer escapes backslashes, tabs and line ends only, as pandas up to 2.2 does with the official options:
ordinary text is written raw, so readers that know no escape character see the same.
"""

import io
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from llast.artifacts import atomic_path
from llast.corpus.containers import open_file
from llast.errors import DataError

MAX_LINE = 1 << 20
"""Characters of a line; a longer one is taken for several: a file without line ends must not fill the memory."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\\\t\r\n]")


@dataclass(frozen=True)
class Table:
    """Some columns of a table.

    Attributes:
        columns: text of each column, by name; all of one length.
        short_rows: rows that had fewer fields than the header and were filled up with empty text.
    """

    columns: dict[str, list[str]]
    short_rows: int = 0

    def __getitem__(self, column: str) -> list[str]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Row(NamedTuple):
    """A row of a table as it stands in its file.

    Attributes:
        number: of data rows, from 1.
        raw: its line, or lines, ends and all; bytes that are no UTF-8 are lone surrogates (`surrogateescape`).
        fields: its text, unescaped; may be fewer than the header has.
        damage: why it cannot be used; empty if it can.
    """

    number: int
    raw: str
    fields: list[str]
    damage: str = ""


class Rows:
    """The rows of a table one after the other, damaged ones included.

    Attributes:
        header: names of its columns.
        raw_header: the line of the header.
    """

    def __init__(self, file: BinaryIO, name: str, columns: Sequence[str]) -> None:
        """Read the header; `name` stands for the table in messages.

        Raises:
            DataError: the table is empty, no text, or lacks one of the columns.
        """
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._records = _records(text)
        self.raw_header, self.header = next(self._records, ("", []))
        if not self.raw_header:
            raise DataError(f"{name} is empty. Fetch it again.")
        if damage := _damage(self.raw_header):
            raise DataError(f"{name}: its header {damage}. Fetch it again.")
        if missing := [column for column in columns if column not in self.header]:
            raise DataError(
                f"{name} has no column {', '.join(missing)}; its header is: {' '.join(self.header):.300}. "
                "It has to be a Common Voice or CoVoST-2 table with a header."
            )

    def __iter__(self) -> Iterator[Row]:
        width = len(self.header)
        for number, (raw, fields) in enumerate(self._records, start=1):
            many = f"has {len(fields)} fields, the header {width}" if len(fields) > width else ""
            yield Row(number, raw, fields, _damage(raw) or many)


def read_tsv(file: BinaryIO, name: str, columns: Sequence[str]) -> Table:
    """Read some columns of a table; `name` stands for it in messages.

    Raises:
        DataError: the table is empty or no text, lacks one of the columns, or a row is damaged.
    """
    rows = Rows(file, name, columns)
    width = len(rows.header)
    values: list[list[str]] = [[] for _ in columns]
    picks = [(rows.header.index(column), value.append) for column, value in zip(columns, values, strict=True)]
    short_rows = 0
    for row in rows:
        if row.damage:
            raise DataError(
                f"{name}: data row {row.number} {row.damage}. The table is damaged: fetch it again, or mend that row."
            )
        fields = row.fields
        if len(fields) < width:
            short_rows += 1
            fields = fields + [""] * (width - len(fields))
        for index, append in picks:
            append(fields[index])
    return Table(dict(zip(columns, values, strict=True)), short_rows)


def read_tsv_file(path: Path, columns: Sequence[str]) -> Table:
    """Read some columns of a table in a plain file; errors as in `read_tsv`, or if there is no regular file."""
    if not path.exists():
        raise DataError(f"{path} does not exist. Run the step that writes it first.")
    with open_file(path) as file:
        return read_tsv(file, str(path), columns)


def write_tsv(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write a table atomically: header, then a line per row, all ending in a newline."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_lines(columns))


def tsv_bytes(columns: Mapping[str, Sequence[str]]) -> bytes:
    """A table as `write_tsv` writes it."""
    return "".join(_lines(columns)).encode()


def _lines(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "\t".join(columns) + "\n"
    for row in zip(*columns.values(), strict=True):
        line = "\t".join(row)
        if "\\" in line or line.count("\t") >= len(row) or "\n" in line or "\r" in line:
            line = "\t".join(_TO_ESCAPE.sub(r"\\\g<0>", field) for field in row)
        yield line + "\n"


def _records(text: TextIO) -> Iterator[tuple[str, list[str]]]:
    """Line, or lines, and unescaped fields of each row, the header first. Line ends come untranslated."""
    pending: deque[str] = deque()
    width = 0

    def following() -> str:
        return pending.popleft() if pending else text.readline(MAX_LINE)

    while raw := following():
        line = raw.rstrip("\r\n")
        if "\\" not in line:
            if line.strip(" "):
                fields = line.split("\t")
                width = width or len(fields)
                yield raw, fields
            continue
        alone, taken, last = line, [raw], raw
        # With as many fields as that it is no row, and all rows to the end could follow.
        while _ends_in_escape(line) and line.count("\t") - line.count("\\\t") <= width:
            end = last[len(last.rstrip("\r\n")) :]
            line += end[:1]
            if end == "\r\n":  # the escape covers the first of the two, the second one ends the row
                break
            if not (last := following()):
                break
            taken.append(last)
            line += last.rstrip("\r\n")
        fields = _split_escaped(line)
        if len(fields) != width and len(unescaped := list(map(_unescape, alone.split("\t")))) == width:
            pending.extendleft(reversed(taken[1:]))
            fields, taken = unescaped, taken[:1]
        width = width or len(fields)
        yield "".join(taken), fields


def _damage(raw: str) -> str:
    if "\0" in raw:
        return "has a NUL byte"
    try:
        raw.encode()
    except UnicodeEncodeError:  # of surrogates
        return "is not UTF-8 text"
    return ""


def _ends_in_escape(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _split_escaped(line: str) -> list[str]:
    if "\\\t" not in line:
        return list(map(_unescape, line.split("\t")))
    fields = [""]
    escaped = False
    for character in line:
        if character == "\t" and not escaped:
            fields.append("")
        elif character == "\\" and not escaped:
            escaped = True
            continue
        else:
            fields[-1] += character
        escaped = False
    return fields


def _unescape(field: str) -> str:
    """A backslash at the end has nothing to escape and stays."""
    return _ESCAPED.sub(r"\1", field)
