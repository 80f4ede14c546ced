r"""Tab-separated tables of Common Voice and CoVoST-2, read as the official split script reads them.

Reading rules (`get_covost_splits.py` of facebookresearch/covost: pandas with QUOTE_NONE, escape character
backslash, no NA detection), so that our text equals the official text byte for byte:

- UTF-8, a byte order mark is skipped; lines end at `\n`, `\r\n` or `\r`; blank lines are skipped.
- A quote is an ordinary character. `NA`, `null` and the like are ordinary text.
- A backslash is dropped and the character after it taken as it is, be it a quote (`\"`, as pandas 3 writes
  every quote), a backslash, a tab or a line end.
- Columns are addressed by name, since their order changes between releases.
- A row with too few fields is filled up with empty ones and counted; one with too many is an error.

The writer escapes backslashes, tabs and line ends only, as pandas up to 2.2 does with the official options:
ordinary text is written raw, so readers that know no escape character see the same.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llast.artifacts import atomic_path
from llast.errors import DataError

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


def read_tsv(file: BinaryIO, name: str, columns: Sequence[str]) -> Table:
    """Read some columns of a table; `name` stands for it in messages.

    Raises:
        DataError: the table is empty or not UTF-8, lacks one of the columns, or a row has too many fields.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        return _read(_records(text), name, columns)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text ({error}). Fetch it again.") from None
    finally:
        text.detach()


def read_tsv_file(path: Path, columns: Sequence[str]) -> Table:
    """Read some columns of a table in a plain file; errors as in `read_tsv`, or if it is missing."""
    try:
        with path.open("rb") as file:
            return read_tsv(file, str(path), columns)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Run the step that writes it first.") from None


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


def _read(records: Iterator[list[str]], name: str, columns: Sequence[str]) -> Table:
    header = next(records, None)
    if header is None:
        raise DataError(f"{name} is empty. Fetch it again.")
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"{name} has no column {', '.join(missing)}; its header is: {' '.join(header)}. "
            "It has to be a Common Voice or CoVoST-2 table with a header."
        )
    width = len(header)
    values: list[list[str]] = [[] for _ in columns]
    picks = [(header.index(column), value.append) for column, value in zip(columns, values, strict=True)]
    short_rows = 0
    for number, fields in enumerate(records, start=1):
        if len(fields) != width:
            if len(fields) > width:
                raise DataError(
                    f"{name}: data row {number} has {len(fields)} fields, the header {width}. "
                    "The table is damaged: fetch it again, or mend that row."
                )
            short_rows += 1
            fields += [""] * (width - len(fields))
        for index, append in picks:
            append(fields[index])
    return Table(dict(zip(columns, values, strict=True)), short_rows)


def _records(lines: Iterator[str]) -> Iterator[list[str]]:
    """Fields of each row, unescaped. Lines come with their line ends untranslated."""
    for raw in lines:
        line = raw.rstrip("\r\n")
        if "\\" not in line:
            if line.strip(" "):
                yield line.split("\t")
            continue
        while _ends_in_escape(line):
            end = raw[len(raw.rstrip("\r\n")) :]
            line += end[:1]
            if end == "\r\n":  # the escape covers the first of the two, the second one ends the row
                break
            raw = next(lines, "")
            line += raw.rstrip("\r\n")
            if not raw:
                break
        yield _split_escaped(line)


def _ends_in_escape(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _split_escaped(line: str) -> list[str]:
    if "\\\t" not in line:
        return [_ESCAPED.sub(r"\1", field) for field in line.split("\t")]
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
