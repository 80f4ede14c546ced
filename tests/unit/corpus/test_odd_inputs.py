"""Corpora that are odd in one way, a line each: where the steps stop, the exit code, and what the message names.

A line that ends with 0 has all of its rows, or as many as it says. `small.py` has the keywords.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.corpus.small import Small, run


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
