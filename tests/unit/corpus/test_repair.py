import io
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from llast.corpus.repair import repair_text, written_as_csv
from tests.unit.corpus.small import Small, run


@pytest.mark.parametrize(
    ("raw", "repaired"),
    [
        ('"She\'ll be all right."', "She'll be all right."),
        (
            '"These data serve as the ""building blocks"" of exchanges."',
            'These data serve as the "building blocks" of exchanges.',
        ),
        ('"""Cepatlah berangkat!"" ia berujar padaku."', '"Cepatlah berangkat!" ia berujar padaku.'),
        ('""', ""),
        ('""""', '"'),
        ('"""a"""', '"a"'),
    ],
)
def test_csv_fields_are_undone(raw: str, repaired: str) -> None:
    assert repair_text(raw) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "Morgenstund' hat Gold im Mund.",
        '"Hurry and go!" he said to me.',
        '"Hi" and "bye"',
        '"',
        '"""',
        'a "b"',
        '"a',
        '"x""" y"',
        "",
    ],
)
def test_real_text_stays(text: str) -> None:
    assert repair_text(text) == text


@pytest.mark.parametrize(
    ("texts", "as_csv"),
    [
        (["Hello.", '"He said ""hi""."'], True),
        (['"""Hi!"" he said."', '"""Hi!"""'], True),
        (["Hello."], False),
        ([], False),
        (['"He said ""hi""."', 'He said "hi".'], False),
        (['"He said ""hi""."', '"Hi!"'], False),
        (['"He said ""hi""."', '"Hi'], False),
        (['"Hurry and go!" he said to me.'], False),
    ],
)
def test_a_column_was_written_as_csv_if_all_its_quotes_say_so(texts: list[str], as_csv: bool) -> None:
    assert written_as_csv(texts) is as_csv


def by_pandas(text: str) -> str:
    """A table as pandas writes it by default, with quoted speech in every text that has a 2."""
    frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=str)
    for column in frame.columns.intersection(["sentence", "translation"]):
        frame[column] = frame[column].str.replace(r"(\d*2\d*)", r'"\1"', regex=True)
    return frame.to_csv(sep="\t", index=False)


@pytest.mark.parametrize("layout", ["", "prepared"])
def test_sentences_and_references_that_pandas_wrote_are_what_they_were(tmp_path: Path, layout: str) -> None:
    ended = run(
        tmp_path,
        Small(sentences=by_pandas, tables=by_pandas, layout=layout, rows={"train": 16, "dev": 6, "test": 3}),
    )
    assert ended.code == 0, ended.said
    rows = pq.read_table(tmp_path / "filter" / "de" / "de_en.test.parquet").to_pylist()
    assert [(row["sentence"], row["translation"]) for row in rows][:2] == [
        ('Satz Nummer "1022".', 'This is de_en "1022".'),
        ('Satz Nummer "1023".', 'This is de_en "1023".'),
    ]
    changes = (tmp_path / "filter" / "de" / "repaired.tsv").read_text().splitlines()
    assert sum("\ttest\t" in row and "This is" in row for row in changes) == 3
    assert sum("\ttest\t" in row and "Satz" in row for row in changes) == 3
