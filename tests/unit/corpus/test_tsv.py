import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llast.corpus.tsv import read_tsv, read_tsv_file, write_tsv
from llast.errors import DataError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
PIECES = ["a", '"', "'", " ", "\\", "\\\t", "\\\n", '\\"', "\\\\", "\u2028", "\x0b", "é"]
RAW = (
    st.lists(st.sampled_from(PIECES), max_size=8)
    .map("".join)
    .filter(re.compile(r"(\\.|[^\\\n])*", re.DOTALL).fullmatch)
)
"""Raw text of a field, with whole escapes: a backslash at the end is ours to read. Bare carriage returns are left out,
since pandas loses fields after them."""
NASTY = st.text(st.sampled_from("a\"\\\t\n\r' \u2028\x0b\x1c\x85é"), max_size=8)


def read(data: bytes, *columns: str) -> list[list[str]]:
    table = read_tsv(io.BytesIO(data), "a.tsv", columns)
    return [list(row) for row in zip(*(table[column] for column in columns), strict=True)]


def official(data: bytes) -> pd.DataFrame:
    """Read as `get_covost_splits.py` does, numbers kept as text."""
    return pd.read_csv(
        io.BytesIO(data), sep="\t", escapechar="\\", quoting=csv.QUOTE_NONE, na_filter=False, dtype=str
    )


def test_quotes_and_na_are_ordinary_text() -> None:
    data = '"a"\tNA\n"unbalanced\tnull\n'
    assert read(f"x\ty\n{data}".encode(), "x", "y") == [['"a"', "NA"], ['"unbalanced', "null"]]


def test_columns_are_found_by_name_in_any_order() -> None:
    assert read(b"new\tsentence\tpath\n1\tbonjour\ta.mp3\n", "path", "sentence") == [["a.mp3", "bonjour"]]


def test_a_backslash_goes_and_the_next_character_stays() -> None:
    rows = b'x\ty\n\\"said\\"\tback\\\\slash\ntab\\\there\tline\\\nend\n'
    assert read(rows, "x", "y") == [['"said"', "back\\slash"], ["tab\there", "line\nend"]]


def test_a_backslash_at_the_end_of_a_field_takes_nothing_from_its_neighbours() -> None:
    rows = b"x\ty\tz\na\\\tb\tc\nd\te\tf\\\ng\th\\\ti\n\\\tj\t\\\\\nlast\tof\tall\\"
    expected = [
        ["a\\", "b", "c"],
        ["d", "e", "f\\"],
        ["g", "h\\", "i"],
        ["\\", "j", "\\"],
        ["last", "of", "all\\"],
    ]
    assert read(rows, "x", "y", "z") == expected


def test_rows_that_all_end_in_a_backslash_take_as_long_as_others() -> None:
    assert len(read(b"x\ty\n" + b"a\tb\\\n" * 50_000, "y")) == 50_000


def test_a_table_without_line_ends_is_told_by_the_beginning_of_its_header() -> None:
    with pytest.raises(DataError, match=r"a\.tsv.*header") as error:
        read(b"x" * 5_000_000, "path")
    assert len(str(error.value)) < 1000


def test_line_ends_of_every_system_but_no_other_separator() -> None:
    rows = "x\ty\na\u2028b\tc\x0bd\r\ne\tf\x85g\rh\ti\n".encode()
    assert read(rows, "x", "y") == [["a\u2028b", "c\x0bd"], ["e", "f\x85g"], ["h", "i"]]


def test_empty_last_field_is_kept_and_short_rows_are_counted() -> None:
    table = read_tsv(io.BytesIO(b"x\ty\tz\na\tb\t\nc\td\n\n   \n"), "a.tsv", ("x", "z"))
    assert table.columns == {"x": ["a", "c"], "z": ["", ""]}
    assert table.short_rows == 1


def test_byte_order_mark_is_skipped() -> None:
    assert read("\ufeffpath\tx\na\tb\n".encode(), "path") == [["a"]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.tsv"),
        (b"path\tx\na\t\0\n", "row 1 .*NUL"),
        (bytes(1_000_000), "a.tsv.*NUL"),
        ("path\tx\n".encode("utf-16"), "a.tsv.*header"),
        (b"path\tx\na\tb\tc\n", r"row 1 .*\b3\b.*\b2\b"),
        (b"<html><body>login</body></html>", "column path"),
        (b"path\tx\na\tb\n\xff\xfe\tb\n", "row 2 .*not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(data, "path")


def test_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tsv"):
        read_tsv_file(tmp_path / "none.tsv", ("x",))


def test_ordinary_text_is_written_raw(tmp_path: Path) -> None:
    write_tsv(tmp_path / "a.tsv", {"x": ['"""Go!"" he said."', ""], "y": ["NA", "'"]})
    assert (tmp_path / "a.tsv").read_bytes() == b'x\ty\n"""Go!"" he said."\tNA\n\t\'\n'


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(TEXT | NASTY, TEXT | NASTY), max_size=6))
def test_any_text_survives_the_round_trip_through_our_reader_and_the_official_one(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("tsv") / "a.tsv"
    write_tsv(
        path, {"n": [f"c{n}" for n in range(len(rows))], "x": [r[0] for r in rows], "y": [r[1] for r in rows]}
    )
    table = read_tsv_file(path, ("x", "y"))
    assert list(zip(table["x"], table["y"], strict=True)) == rows
    frame = official(path.read_bytes())
    assert list(zip(frame["x"], frame["y"], strict=True)) == rows


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(RAW, RAW), min_size=1, max_size=4))
def test_raw_files_are_read_as_the_official_script_reads_them(rows: list[tuple[str, str]]) -> None:
    data = "n\tx\ty\n" + "".join(f"c{n}\t{x}\t{y}\n" for n, (x, y) in enumerate(rows))
    try:
        frame = official(data.encode())
    except pd.errors.ParserError:
        return  # too many fields or an escape at the end
    if frame.index.dtype != "int64" and len(frame):
        return  # pandas took a surplus column for row names
    assert read(data.encode(), "n", "x", "y") == frame.to_numpy().tolist()


def test_files_of_pandas_3_with_escaped_quotes_are_read(tmp_path: Path) -> None:
    rows = {"x": ['He said "go".', "a\\b"], "y": ['"', "tab\tin"]}
    pd.DataFrame(rows).to_csv(
        tmp_path / "a.tsv", sep="\t", quoting=csv.QUOTE_NONE, escapechar="\\", index=False
    )
    assert b'\\"' in (tmp_path / "a.tsv").read_bytes()
    assert read_tsv_file(tmp_path / "a.tsv", ("x", "y")).columns == rows
