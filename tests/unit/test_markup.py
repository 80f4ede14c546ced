"""What others have written stays text in Markdown tables, CSV files and the report."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llast.artifacts.run import Run
from llast.artifacts.scores import ScoreFile
from llast.markup import csv_cell, markdown_cell, markdown_line, markdown_row
from llast.results.checkpoints import read_results
from llast.results.report.report import report
from llast.results.table import table
from llast.results.tracking.track import _write_samples

NASTY = '=1+1|<script>alert("x")</script>|$\\frac$|a\\|b'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1 (the best)", "'+1 (the best)"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-1.25", "-1.25"),
        ("+3", "+3"),
        ("-1e-05", "-1e-05"),
        ("1=1", "1=1"),
        ("", ""),
        ("- well, she said", "'- well, she said"),
    ],
)
def test_a_cell_of_a_spreadsheet_is_no_formula(text: str, expected: str) -> None:
    assert csv_cell(text) == expected


@pytest.mark.parametrize("text", ["a|b", "a\\|b", "a\\\\|b", "|", "a\nb|c", "a\r\nb", "`a|b`", "a\\"])
def test_a_row_of_markdown_has_as_many_cells_as_it_is_given(text: str) -> None:
    row = markdown_row([text, "x"])
    assert len(row.splitlines()) == 1
    # As cmark-gfm does: a backslash takes the next sign with it.
    assert len(re.findall(r"(?:\\.|[^|\\])+", row.strip()[1:-1])) == 2


def test_markdown_has_no_html_of_others() -> None:
    assert "<" not in markdown_cell(NASTY) + markdown_line(NASTY)
    assert markdown_line("*a* `b` c & d") == "*a* `b` c &amp; d"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


@pytest.fixture(scope="module")
def tree(results: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Results of an experiment, of a published system and of sentences with such names and texts."""
    tree = results(tmp_path_factory.mktemp("nasty"), ("fr_en",), {"one": ("fr_en",)}, checkpoints=1)
    for path in tree.runs:
        Run.read(path).model_copy(update={"experiment": NASTY}).write(path)
    for path in tree.scores:
        scores = ScoreFile.read(path)
        text = {"sentence": NASTY, "reference": NASTY, "hypothesis": NASTY}
        pairs = {
            pair: own.model_copy(
                update={
                    "samples": {k: [s.model_copy(update=text) for s in v] for k, v in own.samples.items()}
                }
            )
            for pair, own in scores.pairs.items()
        }
        scores.model_copy(update={"experiment": NASTY, "pairs": pairs}).write(path)
    rows = [("system", "case", "pair", "value", "source"), (NASTY, "cased", "fr_en", "30.0", NASTY)]
    with (tree.folder / "published.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tree


def test_tables(tree: Any, tmp_path: Path) -> None:
    table(tree.runs, tree.scores, tmp_path, published=tree.folder / "published.csv")
    lines = (tmp_path / "bleu_table.md").read_text().splitlines()
    assert "<script" not in "".join(lines)
    for number, line in enumerate(lines):
        if line.startswith("|:-"):
            cells = [
                re.findall(r"(?:\\.|[^|\\])+", row.strip()[1:-1])
                for row in (lines[number - 1], lines[number + 1])
            ]
            assert {len(row) for row in cells} == {line.count(":-") + line.count("-:")}
    for name in ("bleu_table.csv", "scores.csv", "bleu_seeds.csv"):
        assert set(pd.read_csv(tmp_path / name)["experiment"]) == {f"'{NASTY}"}


def test_samples(tree: Any, tmp_path: Path) -> None:
    _write_samples(read_results(tree.runs, tree.scores).checkpoints, tmp_path / "samples.csv")
    samples = pd.read_csv(io.StringIO((tmp_path / "samples.csv").read_text()))
    assert set(samples["hypothesis"]) | set(samples["reference"]) == {f"'{NASTY}"}


def test_the_report(tree: Any, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    report(
        **tree.report_inputs(),
        output=output,
        title=NASTY,
        note=NASTY,
        tracking_uri="http://me:secret@host; touch EXECUTED",
        published=tree.folder / "published.csv",
    )
    text = output.read_text(encoding="utf-8")
    page = Tags()
    page.feed(text)
    assert "script" not in page.found
    assert text.count("&lt;script&gt;") > 5
    assert "secret" not in text
    assert "mlflow ui --backend-store-uri &#39;http://me:***@host; touch EXECUTED&#39;<" in text
