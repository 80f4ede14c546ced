import csv
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from llast.config.corpus import FilterOptions, ResampleOptions
from llast.corpus.filter import filter_rows
from llast.corpus.join import join
from llast.corpus.resample import resample
from llast.corpus.statistics import statistics
from llast.errors import DataError
from llast.results.report.statistics import read_statistics
from tests.unit.corpus.conftest import Release, tone

Rows = dict[tuple[str, str], dict[str, str]]


def run(release: Release, folder: Path, official_counts: bool = False) -> Rows:
    fetched = release.fetch(folder)
    resample(fetched, folder / "resample", ResampleOptions())
    join(fetched, folder / "join", official_counts)
    joined, resampled = (folder / step / "summary.json" for step in ("join", "resample"))
    filter_rows(joined, resampled, folder / "filter", FilterOptions(max_missing=1))
    summaries = [fetched, resampled, joined, folder / "filter" / "summary.json"]
    statistics(summaries, folder / "statistics.csv", official_counts)
    with (folder / "statistics.csv").open(encoding="utf-8", newline="") as file:
        return {(row["pair"], row["split"]): row for row in csv.DictReader(file)}


@pytest.fixture
def corpus(mp3: bytes) -> Release:
    """Two train rows of a speaker, one of another, who speaks in dev and test as well; and every loss."""
    release = Release(sentences={"damaged.mp3": "one\ttoo\tmany"})
    for name, data, sentence, translation, label in (
        ("a", mp3, '"Bonjour l\'ami."', "Hello.", "train"),
        ("b", tone(3.0), "Au revoir.", "Bye.", "train"),
        ("c", mp3, "Merci bien.", "Thanks!", "train"),
        ("d", mp3, "Bien.", "REMOVE", "train"),
        ("e", b"", "Encore.", "Again.", "train"),
        ("f", mp3, " au revoir.", "Bye!", "dev"),
        ("g", None, "Absent.", "Missing.", "dev"),
        ("h", mp3, "Peut-être.", "Perhaps.", "test"),
        ("i", mp3, "Parti.", "Gone.", "test"),
    ):
        release.add(f"{name}.mp3", data, sentence, translation, label)
    release.speakers |= {"c.mp3": "other", "f.mp3": "other", "g.mp3": "third", "h.mp3": "other"}
    del release.sentences["i.mp3"]
    return release


def test_every_pair_and_split_is_counted(tmp_path: Path, corpus: Release) -> None:
    found = run(corpus, tmp_path)
    assert list(found) == [("fr_en", split) for split in ("train", "dev", "test")]
    train, dev, test = found.values()
    assert train == {
        "pair": "fr_en",
        "split": "train",
        "official": "",
        "damaged": "1",
        "not_validated": "0",
        "joined": "5",
        "rows": "3",
        "hours": "0.002",
        "mean_seconds": "2.0",
        "source_characters": "11.7",
        "target_characters": "5.7",
        "speakers": "2",
        "sentences": "3",
        "speakers_in_train": "",
        "speakers_in_dev": "1",
        "speakers_in_test": "1",
        "sentences_in_train": "",
        "sentences_in_dev": "1",
        "sentences_in_test": "0",
        "repaired": "1",
        "dropped_remove": "1",
        "no_audio_empty": "1",
        "no_audio_missing": "0",
    }
    assert (dev["rows"], dev["no_audio_missing"], dev["mean_seconds"]) == ("2", "1", "1.5")
    assert (dev["speakers"], dev["speakers_in_train"], dev["sentences_in_train"]) == ("2", "1", "1")
    assert (test["joined"], test["not_validated"], test["speakers_in_dev"]) == ("1", "1", "1")


def test_digital_silence_is_counted(tmp_path: Path, corpus: Release) -> None:
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(48_000), 48_000, format="MP3")
    corpus.clips |= dict.fromkeys(["b.mp3", "h.mp3"], silence.getvalue())
    found = run(corpus, tmp_path)
    assert [row["no_audio_silent"] for row in found.values()] == ["1", "0", "1"]


def test_without_the_filter_there_is_nothing_to_count(tmp_path: Path, corpus: Release) -> None:
    run(corpus, tmp_path)
    others = [tmp_path / step / "summary.json" for step in ("fetch", "resample", "join")]
    for named in (others, []):
        with pytest.raises(DataError, match="filter"):
            statistics(named, tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


def test_clips_without_a_speaker_are_of_no_speaker(tmp_path: Path, corpus: Release) -> None:
    corpus.speakers |= dict.fromkeys(("a.mp3", "b.mp3", "f.mp3", "g.mp3"), "")
    train, dev, test = run(corpus, tmp_path).values()
    assert [split["speakers"] for split in (train, dev, test)] == ["1", "0", "1"]
    assert (train["speakers_in_dev"], train["speakers_in_test"], dev["speakers_in_train"]) == ("0", "1", "0")


def test_published_counts_stand_beside_the_rows_of_a_corpus_that_has_them(
    tmp_path: Path, corpus: Release
) -> None:
    train, *_ = run(corpus, tmp_path, official_counts=True).values()
    assert train["official"] == "207374"


def test_the_report_reads_what_is_shared_and_what_is_lost(tmp_path: Path, corpus: Release) -> None:
    run(corpus, tmp_path)
    train, dev, test = read_statistics(tmp_path / "statistics.csv")
    assert train.shared == {"dev": (1, 1), "test": (1, 0)}
    assert train.lost == {"dropped remove": 1, "no audio empty": 1}
    assert dev.lost == {"no audio missing": 1}
    assert test.lost == {"not validated": 1}
