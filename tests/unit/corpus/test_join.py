import re
from operator import itemgetter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llast.artifacts.corpus import FetchSummary, RowDifference
from llast.config.corpus import ResampleOptions
from llast.corpus.join import join, join_tables
from llast.corpus.official import official_table
from llast.corpus.resample import resample
from llast.corpus.tables import SPLIT_OF_LABEL
from llast.corpus.tsv import Table, read_tsv_file
from llast.errors import DataError
from llast.languages import PAIRS
from tests.unit.corpus.conftest import SPEAKER, Release

COLUMNS = ("path", "sentence", "translation", "client_id")


def rows(path: Path) -> list[tuple[str, ...]]:
    table = read_tsv_file(path, COLUMNS)
    return list(zip(*(table[column] for column in COLUMNS), strict=True))


def test_splits_follow_the_labels_in_the_order_of_validated(tmp_path: Path, mp3: bytes) -> None:
    release = Release()
    for name, label in (
        ("a", "test"),
        ("b", "train"),
        ("c", "dev"),
        ("d", "train_covost"),
        ("e", "dev_covost"),
        ("f", "dev_dup"),
        ("g", "train"),
    ):
        release.add(f"{name}.mp3", mp3, f'"phrase {name}"', f"sentence {name}", label)
    release.tables["fr_en"].reverse()
    del release.sentences["g.mp3"]
    release.sentences["spare.mp3"] = "nobody translates this"
    summary = join(release.fetch(tmp_path), tmp_path / "out", official_counts=False)
    assert rows(tmp_path / "out" / "covost_v2.fr_en.train.tsv") == [
        ("b.mp3", '"phrase b"', "sentence b", SPEAKER),
        ("d.mp3", '"phrase d"', "sentence d", SPEAKER),
    ]
    assert [row[0] for row in rows(tmp_path / "out" / "covost_v2.fr_en.dev.tsv")] == ["c.mp3"]
    assert [row[0] for row in rows(tmp_path / "out" / "covost_v2.fr_en.test.tsv")] == ["a.mp3"]
    assert summary.details.model_dump() == {
        "counts": {"fr_en": {"train": 2, "dev": 1, "test": 1}},
        "labels": {"fr_en": {"dev_covost": 1, "dev_dup": 1}},
        "lost": {"fr_en": {"train": 1, "dev": 0, "test": 0}},
        "official": {},
        "short_rows": {},
        "damaged": 0,
    }
    assert (summary.rows_in, summary.rows_out, summary.dropped) == (7, 4, {"label": 2, "not_validated": 1})


PATHS = st.sampled_from([f"{name}.mp3" for name in "abcdefg"])
LABELS = st.sampled_from(["train", "train_covost", "dev", "test", "dev_dup"])


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(PATHS, st.integers().map(str), st.integers().map(str)), unique_by=itemgetter(0)),
    st.lists(st.tuples(PATHS, st.integers().map(str), LABELS), unique_by=itemgetter(0)),
)
def test_rows_are_joined_as_pandas_does(
    validated: list[tuple[str, ...]], table: list[tuple[str, ...]]
) -> None:
    left = pd.DataFrame(validated, columns=["path", "sentence", "client_id"], dtype=str)
    right = pd.DataFrame(table, columns=["path", "translation", "split"], dtype=str)
    merged = left.merge(right, how="inner", on="path")
    splits, ignored, unmatched = join_tables(
        Table({name: left[name].tolist() for name in left}),
        Table({name: right[name].tolist() for name in right}),
        SPLIT_OF_LABEL,
    )
    for split, columns in splits.items():
        expected = merged[merged["split"].map(SPLIT_OF_LABEL.get) == split]
        assert columns == {name: expected[name].tolist() for name in COLUMNS}
    assert ignored.total() == (merged["split"] == "dev_dup").sum()
    assert unmatched.total() == (~right["path"].isin(left["path"])).sum()


def test_each_pair_of_a_source_has_its_own_splits(tmp_path: Path, mp3: bytes) -> None:
    release = Release("en")
    for pair in ("en_de", "en_zh-CN"):
        release.add("a.mp3", mp3, "hello", f"{pair} text", "test", pair)
    summary = join(release.fetch(tmp_path), tmp_path / "out", official_counts=False)
    for pair in ("en_de", "en_zh-CN"):
        assert rows(tmp_path / "out" / f"covost_v2.{pair}.test.tsv") == [
            ("a.mp3", "hello", f"{pair} text", SPEAKER)
        ]
        assert summary.details.counts[pair] == {"train": 0, "dev": 0, "test": 1}


def test_counts_that_differ_from_the_published_ones_are_said(
    tmp_path: Path, release: Release, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = join(release.fetch(tmp_path), tmp_path / "out", official_counts=True)
    assert summary.details.official["fr_en"]["dev"] == RowDifference(expected=14760, found=1)
    assert re.search(r"fr_en dev .*\b1\b.*14,760", capfd.readouterr().err)


def test_rows_that_lack_fields_are_filled_up_and_counted(tmp_path: Path, mp3: bytes) -> None:
    release = Release()
    release.add("a.mp3", mp3, "un", "one")
    release.add("b.mp3", mp3, "deux", "two")
    release.tables["fr_en"].append(("b.mp3", "a half-written row"))  # type: ignore[arg-type]
    summary = join(release.fetch(tmp_path), tmp_path / "out", official_counts=False)
    assert summary.details.short_rows == {"fr_en": 1}
    assert summary.details.labels == {"fr_en": {"": 1}}
    assert summary.rows_out == 2


def test_a_table_that_has_changed_since_it_was_checked(tmp_path: Path, mp3: bytes) -> None:
    """A row that was written twice after the step fetch would be joined without a word."""
    release = Release()
    release.add("a.mp3", mp3, "un", "one")
    fetched = release.fetch(tmp_path)
    table = FetchSummary.read(fetched).details.tables["fr_en"].path
    release.tables["fr_en"] *= 2
    release.write(tmp_path / "files")
    with pytest.raises(DataError, match=f"{table}.*--forcerun fetch"):
        join(fetched, tmp_path / "out")
    with pytest.raises(DataError, match=f"{table}.*--forcerun fetch"):
        resample(fetched, tmp_path / "resampled", ResampleOptions())


def test_published_counts_cover_every_pair() -> None:
    table = official_table()
    assert set(table) == set(PAIRS)
    assert sum(int(row["train"]) for pair, row in table.items() if pair.endswith("_en")) == 652_586
    assert {int(row["train"]) for pair, row in table.items() if pair.startswith("en_")} == {289_430}
