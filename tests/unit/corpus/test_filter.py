from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llast.artifacts import Summary
from llast.config.corpus import FilterOptions, ResampleOptions
from llast.corpus.filter import filter_rows
from llast.corpus.join import join
from llast.corpus.resample import resample
from llast.errors import DataError
from tests.unit.corpus.conftest import SPEAKER, Release, tone


def run(release: Release, folder: Path, options: FilterOptions) -> Summary:
    fetched = release.fetch(folder)
    resample(fetched, folder / "resample", ResampleOptions())
    join(fetched, folder / "join", official_counts=False)
    return filter_rows(
        folder / "join" / "summary.json", folder / "resample" / "summary.json", folder / "filter", options
    )


def dirty(mp3: bytes) -> Release:
    release = Release()
    release.add("kept.mp3", mp3, '"L\'eau ""froide""."', 'The "cold" water.')
    release.add("zero.mp3", b"", "vide", "")
    release.add("none.mp3", None, "absent", "missing")
    release.add("brief.mp3", tone(0.3), "oui", "")
    release.add("long.mp3", tone(3.0), "long", "REMOVE")
    release.add("nosource.mp3", mp3, '" "', "text")
    release.add("notarget.mp3", mp3, "texte", " ")
    release.add("remove.mp3", mp3, "Texte.", "REMOVE")
    release.add("removed.mp3", mp3, "Enlever ?", "REMOVED the last one")
    release.add("wordy.mp3", mp3, "mots", "word " * 10)
    release.add("same.mp3", mp3, "San  Francisco.", "san francisco. ")
    return release


def test_each_train_row_goes_for_the_first_reason_that_applies(tmp_path: Path, mp3: bytes) -> None:
    summary = run(dirty(mp3), tmp_path, FilterOptions(max_seconds=2.0, max_characters=40))
    dropped = pq.read_table(tmp_path / "filter" / "dropped.parquet").to_pylist()
    assert {row["clip"]: row["reason"] for row in dropped} == {
        "zero": "audio_empty",
        "none": "audio_missing",
        "brief": "too_short",
        "long": "too_long",
        "nosource": "empty_source",
        "notarget": "empty_target",
        "remove": "remove",
        "wordy": "long_text",
        "same": "source_equals_target",
    }
    assert {(row["pair"], row["split"]) for row in dropped} == {("fr_en", "train")}
    kept = pq.read_table(tmp_path / "filter" / "fr_en.train.parquet").to_pylist()
    assert [row["clip"] for row in kept] == ["kept", "removed"]
    assert kept[0] == {
        "clip": "kept",
        "sentence": 'L\'eau "froide".',
        "translation": 'The "cold" water.',
        "client_id": SPEAKER,
        "seconds": 1.5,
    }
    assert (summary.rows_in, summary.rows_out) == (11, 2)
    assert summary.dropped == {row["reason"]: 1 for row in dropped}
    details = summary.details["pairs"]["fr_en"]["train"]
    assert details["dropped"] == summary.dropped
    assert (details["rows_in"], details["rows_out"], details["repaired"]) == (11, 2, 1)
    assert (details["missing_audio"], details["seconds"]) == (2, 3.0)


def test_repair_can_be_switched_off(tmp_path: Path, mp3: bytes) -> None:
    summary = run(dirty(mp3), tmp_path, FilterOptions(repair_source=False))
    row = pq.read_table(tmp_path / "filter" / "fr_en.train.parquet").to_pylist()[0]
    assert row["sentence"] == '"L\'eau ""froide""."'
    assert summary.details["pairs"]["fr_en"]["train"]["repaired"] == 0


def test_dev_and_test_keep_every_row(tmp_path: Path, mp3: bytes) -> None:
    release = dirty(mp3)
    rows = [(path, text, ("dev", "test")[n % 2]) for n, (path, text, _) in enumerate(release.tables["fr_en"])]
    release.tables["fr_en"] = rows
    summary = run(release, tmp_path, FilterOptions(max_missing=0.5))
    assert (summary.rows_in, summary.rows_out, summary.dropped) == (11, 11, {})
    for split, absent in (("dev", "none"), ("test", "zero")):
        table = pq.read_table(tmp_path / "filter" / f"fr_en.{split}.parquet").to_pylist()
        assert [f"{row['clip']}.mp3" for row in table] == [row[0] for row in rows if row[2] == split]
        assert [row["clip"] for row in table if row["seconds"] is None] == [absent]
        assert summary.details["pairs"]["fr_en"][split]["missing_audio"] == 1


def test_too_little_audio_for_a_test_set_stops_the_run(tmp_path: Path, mp3: bytes) -> None:
    release = Release()
    for number in range(10):
        release.add(f"{number}.mp3", mp3 if number < 8 else None, f"n{number}", f"m{number}", "test")
    with pytest.raises(DataError, match=r"10\.0%.*fr_en test: 2 of 10.*filter\.max_missing"):
        run(release, tmp_path, FilterOptions(max_missing=0.1))
    assert not (tmp_path / "filter" / "summary.json").exists()
    run(release, tmp_path / "again", FilterOptions(max_missing=0.2))
