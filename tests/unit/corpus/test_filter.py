import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llast.artifacts.corpus import FilterSummary
from llast.config.corpus import FilterOptions, ResampleOptions
from llast.corpus.filter import filter_rows
from llast.corpus.join import join
from llast.corpus.resample import resample
from llast.errors import DataError
from llast.languages import CorpusSplit
from tests.unit.corpus.conftest import SPEAKER, Release, tone

ROOT = Path(__file__).parents[3]


def run(release: Release, folder: Path, options: FilterOptions) -> FilterSummary:
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
    release.add(
        "same.mp3", mp3, "San  Francisco \u2013 l\u2019\xe9t\xe9.", " san francisco - l'e\u0301te\u0301. "
    )
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
    train = summary.details.pairs["fr_en"]["train"]
    assert train.dropped == summary.dropped
    assert (train.rows_in, train.rows_out, train.repaired) == (11, 2, 2)
    assert (train.missing_audio, train.seconds) == (2, 3.0)


def test_rows_far_from_what_is_usual_in_their_pair_are_dropped(tmp_path: Path, mp3: bytes) -> None:
    release = Release()
    for number in range(9):
        release.add(f"usual{number}.mp3", mp3, f"une phrase {number}", f"a sentence {number}")
    release.add("fast.mp3", mp3, "mot " * 15, "word " * 12)
    release.add("slow.mp3", tone(20.0), "oui oui", "yes yes")
    release.add("uneven.mp3", mp3, "une phrase", "a sentence " * 10)
    release.add("brief.mp3", mp3, "non", "certainly not")
    run(release, tmp_path / "on", FilterOptions())
    dropped = pq.read_table(tmp_path / "on" / "filter" / "dropped.parquet").to_pylist()
    assert {row["clip"]: row["reason"] for row in dropped} == {
        "fast": "spoken_too_fast",
        "slow": "spoken_too_slow",
        "uneven": "length_ratio",
    }
    off = FilterOptions(max_speech_rate=None, min_speech_rate=None, max_length_ratio=None)
    assert run(release, tmp_path / "off", off).dropped == {}


def test_every_changed_sentence_is_listed(tmp_path: Path, mp3: bytes) -> None:
    run(dirty(mp3), tmp_path, FilterOptions())
    assert (tmp_path / "filter" / "repaired.tsv").read_text(encoding="utf-8") == (
        'pair\tsplit\tclip\tbefore\tafter\nfr_en\ttrain\tkept\t"L\'eau ""froide""."\tL\'eau "froide".\n'
        'fr_en\ttrain\tnosource\t" "\t \n'
    ), "of dropped rows too"


@pytest.mark.slow
def test_a_person_can_ask_what_happened_to_a_clip(tmp_path: Path, mp3: bytes) -> None:
    release = dirty(mp3)
    release.tables["fr_de"] = [("kept.mp3", "Das Wasser.", "test")]
    release.tables["fr_de"] += [("gone.mp3", "Weg.", "train"), ("kept2.mp3", "Wasser.", "dev_dup")]
    release.sentences["kept2.mp3"] = "L'eau."
    corpus = tmp_path / "resources" / "mine"
    fetched = corpus / "fetch" / "fr" / "summary.json"
    release.fetch(tmp_path, output=fetched.parent)
    resample(fetched, corpus / "resample" / "fr", ResampleOptions())
    join(fetched, corpus / "join" / "fr", official_counts=False)
    joined, resampled = (corpus / step / "fr" / "summary.json" for step in ("join", "resample"))
    filter_rows(joined, resampled, corpus / "filter" / "fr", FilterOptions())

    def ask(clip: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "llast", "filter", "--explain", clip]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )

    assert ask("clips/kept.mp3").stdout.splitlines() == [
        "mine fr: audio of 1.50 s",
        "  fr_en train: kept",
        '    sentence     "L\'eau ""froide""."',
        '    repaired to  L\'eau "froide".',
        '    translation  The "cold" water.',
        "  fr_de test: kept",
        '    sentence     "L\'eau ""froide""."',
        '    repaired to  L\'eau "froide".',
        "    translation  Das Wasser.",
    ]
    assert ask("zero").stdout.splitlines()[:2] == [
        "mine fr: no audio (empty)",
        "  fr_en train: dropped: audio_empty",
    ]
    assert ask("gone.mp3").stdout.splitlines() == [
        "mine fr: no audio (missing)",
        "  fr_de train: dropped: not_validated (no sentence)",
        "    translation  Weg.",
    ]
    assert ask("kept2").stdout.splitlines() == [
        "mine fr: no audio (not asked for)",
        "  fr_de dev_dup: dropped: label (that of no split)",
        "    translation  Wasser.",
    ], "clips that no split has"
    unknown = ask("nobody")
    assert (unknown.returncode, unknown.stdout) == (3, "")
    assert re.search("'nobody'.*mine fr.*resources", unknown.stderr)


def test_filters_off_only_rows_without_audio_go(tmp_path: Path, mp3: bytes) -> None:
    summary = run(
        dirty(mp3), tmp_path, FilterOptions(drop_unfit=False, max_seconds=1.0, max_speech_rate=1.01)
    )
    assert summary.dropped == {"audio_empty": 1, "audio_missing": 1}
    assert summary.rows_out == 9


def test_repair_can_be_switched_off(tmp_path: Path, mp3: bytes) -> None:
    summary = run(dirty(mp3), tmp_path, FilterOptions(repair_source=False))
    row = pq.read_table(tmp_path / "filter" / "fr_en.train.parquet").to_pylist()[0]
    assert row["sentence"] == '"L\'eau ""froide""."'
    assert summary.details.pairs["fr_en"]["train"].repaired == 0


def test_dev_and_test_keep_every_row(tmp_path: Path, mp3: bytes) -> None:
    release = dirty(mp3)
    rows = [(path, text, ("dev", "test")[n % 2]) for n, (path, text, _) in enumerate(release.tables["fr_en"])]
    release.tables["fr_en"] = rows
    summary = run(release, tmp_path, FilterOptions(max_missing=0.5))
    assert (summary.rows_in, summary.rows_out, summary.dropped) == (11, 11, {})
    absents: dict[CorpusSplit, str] = {"dev": "none", "test": "zero"}
    for split, absent in absents.items():
        table = pq.read_table(tmp_path / "filter" / f"fr_en.{split}.parquet").to_pylist()
        assert [f"{row['clip']}.mp3" for row in table] == [row[0] for row in rows if row[2] == split]
        assert [row["clip"] for row in table if row["seconds"] is None] == [absent]
        assert summary.details.pairs["fr_en"][split].missing_audio == 1


def test_too_little_audio_for_a_test_set_stops_the_run(tmp_path: Path, mp3: bytes) -> None:
    release = Release()
    for number in range(10):
        release.add(f"{number}.mp3", mp3 if number < 8 else None, f"n{number}", f"m{number}", "test")
    with pytest.raises(DataError, match=r"10\.0%.*fr_en.*\b2 of 10.*filter\.max_missing"):
        run(release, tmp_path, FilterOptions(max_missing=0.1))
    assert not (tmp_path / "filter" / "summary.json").exists()
    run(release, tmp_path / "again", FilterOptions(max_missing=0.2))
    del release.sentences["0.mp3"]
    with pytest.raises(DataError, match=r"20\.0%.*fr_en.*\b3 of 10"):
        run(release, tmp_path / "another", FilterOptions(max_missing=0.2))
