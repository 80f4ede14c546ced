"""Corpora that are odd in one way, a line each: where the steps stop, the exit code, and what the message names.

A line that ends with 0 has all of its rows, or as many as it says. `small.py` has the keywords.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.corpus.small import Edit, Small, run


@dataclass(frozen=True)
class Line:
    """A corpus and what has to become of it.

    Attributes:
        what: about it.
        step: the step that refuses it; `config` is the corpus's file; `filter`, the last one, where all goes well.
        code: exit code.
        names: regular expressions, all of which standard error has to match.
        rows: usable rows of train, dev and test of each pair, where all goes well.
        doctor: regular expression for what `llast doctor` says of it before anything runs; empty: it need not find it.
        odd: keywords of `Small`.
    """

    what: str
    step: str
    code: int
    names: tuple[str, ...]
    rows: tuple[int, ...]
    doctor: str
    odd: dict[str, Any]


def fails(what: str, step: str, *names: str, code: int = 3, doctor: str = "", **odd: Any) -> Line:
    return Line(what, step, code, names, (), doctor, odd)


def works(what: str, *names: str, rows: tuple[int, ...] = (6, 3, 3), **odd: Any) -> Line:
    return Line(what, "filter", 0, names, rows, "", odd)


LINES = [
    works("nothing odd"),
    works("nothing odd, prepared", layout="prepared"),
    works("packed as .tar.gz", pack=".tar.gz"),
    works("two pairs", pairs=("en_de", "en_ja")),
    fails(
        "no table",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "source.tables",
        doctor=r"covost_v2\.de_en\.tsv",
        tables=None,
    ),
    fails(
        "a table without a header",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "path",
        tables=lambda text: text.split("\n", 1)[1],
    ),
    fails("an empty table", "fetch", r"covost_v2\.de_en\.tsv", tables=lambda text: ""),
]

ASIDE = r"1 rows of \S+/de\S* \(validated\.tsv\) are damaged, such as data row 13 .*validated\.damaged\.tsv"
"""Said of a damaged row behind the twelve that are needed."""
NEEDED = (r"\(validated\.tsv\): data row 2 .*common_voice_de_1001", "kind: local, audio:")
"""Said of one that is needed."""


def adds(row: str | bytes) -> Edit:
    """Puts something behind a table."""
    return lambda text: text.encode() + (row.encode() if isinstance(row, str) else row)


def damages(old: str, new: str | bytes) -> Edit:
    """Changes the second row of a table, which is that of a train clip."""

    def edit(text: str) -> bytes:
        lines = text.encode().split(b"\n")
        assert old.encode() in lines[2]
        lines[2] = lines[2].replace(old.encode(), new.encode() if isinstance(new, str) else new)
        return b"\n".join(lines)

    return edit


LINES += [
    works("a needless row with a tab too many", ASIDE, sentences=adds("spk\ta.wav\tIch\tdu\n")),
    works("a needless row with a bad byte", ASIDE, sentences=adds(b"spk\ta.wav\tf\xfcr\n"), pack=".tar.gz"),
    works("a needless row with a NUL", ASIDE, sentences=adds("spk\ta.wav\t\0\n")),
    works("a needless row without a sentence", ASIDE, sentences=adds("spk\ta.wav\n")),
    works("half a row at the end", ASIDE, sentences=adds("spk\tcommon_voi")),
    works("a megabyte of zeros at the end", "are damaged", sentences=adds(bytes(1 << 20))),
    fails("a needed row with a tab too many", "fetch", *NEEDED, sentences=damages("Satz", "Satz\t")),
    fails("a needed row with a tab too few", "fetch", *NEEDED, sentences=damages(".wav\t", ".wav ")),
    fails("a needed row with a bad byte", "fetch", *NEEDED, sentences=damages("Satz", b"S\xe4tze")),
    fails("a needed row with a NUL", "fetch", *NEEDED, sentences=damages("Satz", "\0")),
    works("a sentence that ends in a backslash", sentences=damages(".", ".\\")),
    works("a speaker that ends in a backslash", sentences=damages("spk1", "spk1\\")),
    works("lines that end as on Windows", sentences=lambda text: text.replace("\n", "\r\n")),
    works("lines that end as on an old Mac", sentences=lambda text: text.replace("\n", "\r")),
    works("a byte order mark", sentences=lambda text: "\ufeff" + text, tables=lambda text: "\ufeff" + text),
    works("blank lines", sentences=lambda text: text.replace("\n", "\n\n")),
    fails(
        "sentences in UTF-16",
        "fetch",
        r"\(validated\.tsv\).*header",
        sentences=lambda text: text.encode("utf-16"),
    ),
    fails(
        "sentences without a header",
        "fetch",
        r"\(validated\.tsv\).*path",
        sentences=lambda text: text.split("\n", 1)[1],
    ),
    fails("no sentences at all", "fetch", r"\(validated\.tsv\)", sentences=lambda text: ""),
    fails(
        "sentences that are zeros", "fetch", r"\(validated\.tsv\).*NUL", sentences=lambda text: bytes(1 << 20)
    ),
    fails(
        "a translation with a tab too many",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "row 2 ",
        tables=damages("is", "is\t"),
    ),
    fails(
        "a translation with a bad byte",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "row 2 ",
        tables=damages("is", b"\xff"),
    ),
    fails(
        "a translation with a NUL", "fetch", r"covost_v2\.de_en\.tsv", "row 2 ", tables=damages("is", "\0")
    ),
    works("a translation that ends in a backslash", tables=damages(".\t", ".\\\t")),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what.replace(" ", "-"))
def test_an_odd_corpus_stops_with_a_remedy_or_keeps_its_rows(line: Line, tmp_path: Path) -> None:
    small = Small(**line.odd)
    ended = run(tmp_path, small)
    assert (ended.step, ended.code) == (line.step, line.code), ended.said
    for name in line.names:
        assert re.search(name, ended.said), ended.said
    if line.code == 0:
        assert {tuple(splits.values()) for splits in ended.rows.values()} == {line.rows}
        assert set(ended.rows) == set(small.pairs)
        assert not ended.doctor
    else:
        assert "Traceback" not in ended.said
    assert re.search(line.doctor, ended.doctor), ended.doctor
