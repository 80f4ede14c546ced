"""Real rows of all 36 pairs and real clips, through fetch, join and resample.

They are not part of the repository: `LLAST_REAL_DATA` names a folder with `covost2_rows/{pair}/` (a CoVoST-2 table
and a `validated.tsv`), `clips/{lang}/` and `edge/`.
"""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llast.config.corpus import FilterOptions, ResampleOptions
from llast.config.experiment import MixtureOptions
from llast.config.steps import FetchOptions
from llast.corpus.fetch import fetch
from llast.corpus.filter import filter_rows
from llast.corpus.join import COLUMNS, join
from llast.corpus.parquet import inspect
from llast.corpus.repair import repair_text
from llast.corpus.resample import resample
from llast.corpus.sources.local import LocalSource
from llast.corpus.sources.prepared import PreparedSource
from llast.corpus.store import AudioStore
from llast.corpus.tsv import read_tsv, read_tsv_file
from llast.languages import PAIRS, SPLITS, pairs_from, source_languages
from llast.mixture.mix import mix
from llast.mixture.rows import open_rows
from tests.unit.corpus.conftest import Release, fetched, write_tar

REAL = os.environ.get("LLAST_REAL_DATA")
pytestmark = pytest.mark.skipif(not REAL, reason="LLAST_REAL_DATA is not set: no real rows and clips here")


@pytest.fixture(scope="module")
def real() -> Path:
    assert REAL is not None
    return Path(REAL)


def official(path: Path) -> pd.DataFrame:
    """Read a table with the options of `get_covost_splits.py`, numbers kept as text."""
    return pd.read_csv(
        path, sep="\t", encoding="utf-8", escapechar="\\", quoting=csv.QUOTE_NONE, na_filter=False, dtype=str
    )


def release(real: Path, source: str, folder: Path) -> LocalSource:
    """Write a Common Voice archive with the rows of all pairs out of a language, and their tables."""
    pairs = pairs_from(source, PAIRS)
    lines: dict[bytes, None] = {}
    for pair in pairs:
        rows = (real / "covost2_rows" / pair / "validated.tsv").read_bytes().splitlines(keepends=True)
        lines.update(dict.fromkeys(rows))
        table = real / "covost2_rows" / pair / f"covost_v2.{pair}.tsv"
        write_tar(folder / f"covost_v2.{pair}.tsv.tar.gz", [(table.name, table.read_bytes())])
    write_tar(folder / f"{source}.tar.gz", [("validated.tsv", b"".join(lines))])
    return LocalSource(
        audio=str(folder / "{lang}.tar.gz"), tables=str(folder / "covost_v2.{pair}.tsv.tar.gz")
    )


def test_join_equals_the_official_script_in_every_field(tmp_path: Path, real: Path) -> None:
    fields = 0
    for source in source_languages(PAIRS):
        files = release(real, source, tmp_path)
        fetched(source, pairs_from(source, PAIRS), tmp_path / source, files)
        join(tmp_path / source / "summary.json", tmp_path / "join" / source, official_counts=False)
        for pair in pairs_from(source, PAIRS):
            rows = real / "covost2_rows" / pair
            table = official(rows / f"covost_v2.{pair}.tsv")
            expected = pd.merge(
                official(rows / "validated.tsv")[["path", "sentence", "client_id"]],
                table[["path", "translation", "split"]],
                how="inner",
                on="path",
            )
            for split in SPLITS:
                labels = ("train", "train_covost") if split == "train" else (split,)
                ours = read_tsv_file(tmp_path / "join" / source / f"covost_v2.{pair}.{split}.tsv", COLUMNS)
                theirs = expected[expected["split"].isin(labels)]
                assert len(ours) == 2
                for column in COLUMNS:
                    assert [text.encode() for text in ours[column]] == [
                        text.encode() for text in theirs[column]
                    ]
                fields += 2 * len(ours)
    assert fields == 432


@pytest.mark.parametrize("escaped", [False, True], ids=["raw", r"\" for every quote, as pandas 3 writes"])
def test_a_prepared_folder_and_the_hub_give_the_same_text(tmp_path: Path, real: Path, escaped: bool) -> None:
    folder = tmp_path / "prepared"
    (folder / "tsv").mkdir(parents=True)
    for source in source_languages(PAIRS):
        pairs = pairs_from(source, PAIRS)
        files = release(real, source, tmp_path)
        fetched(source, pairs, tmp_path / source, files)
        join(tmp_path / source / "summary.json", tmp_path / "join" / source, official_counts=False)
        expected = {path.name: path.read_bytes() for path in (tmp_path / "join" / source).glob("*.tsv")}
        assert len(expected) == 3 * len(pairs)
        rows: list[dict[str, object]] = []
        for name, text in expected.items():
            (folder / "tsv" / name).write_bytes(text)
            table = official(folder / "tsv" / name)
            if escaped:
                table.to_csv(
                    folder / "tsv" / name, sep="\t", index=False, escapechar="\\", quoting=csv.QUOTE_NONE
                )
            rows += table.to_dict("records")
        (folder / "audio" / source / "clips_16k").mkdir(parents=True)
        put_on_hub(tmp_path / "hub" / source, rows)
        ready = PreparedSource(folder=str(folder))
        fetch(source, pairs, tmp_path / "ready" / source, FetchOptions(source=ready), tmp_path / "downloads")
        join(tmp_path / "ready" / source / "summary.json", tmp_path / "again" / source, official_counts=False)
        again = {path.name: path.read_bytes() for path in (tmp_path / "again" / source).glob("*.tsv")}
        sentences = {row["path"]: row["sentence"] for row in rows}
        assert again == expected
        validated = read_tsv(io.BytesIO(inspect(tmp_path / "hub" / source)[1]), "hub", COLUMNS[:2])
        assert dict(zip(validated["path"], validated["sentence"], strict=True)) == sentences


def put_on_hub(folder: Path, rows: list[dict[str, object]]) -> None:
    """One parquet file with the columns of the hub's copy, without sound."""
    folder.mkdir(parents=True)
    columns = {
        "id": [str(row["path"]).removesuffix(".mp3") for row in rows],
        "sentence": [row["sentence"] for row in rows],
        "client_id": [row["client_id"] for row in rows],
        "audio": [{"bytes": b"", "path": ""} for _ in rows],
    }
    pq.write_table(pa.table(columns), folder / "train-00000-of-00001.parquet")


@pytest.mark.slow
def test_every_text_reaches_training_as_it_was_but_for_repaired_sentences(tmp_path: Path, real: Path) -> None:
    sound = next(real.glob("clips/it/*")).read_bytes()
    filtered, expected = [], set()
    for source in source_languages(PAIRS):
        pairs, folder = pairs_from(source, PAIRS), tmp_path / source
        corpus = Release(source)
        for pair in pairs:
            rows = official(real / "covost2_rows" / pair / "validated.tsv")
            corpus.sentences |= dict(zip(rows["path"], rows["sentence"], strict=True))
            table = official(real / "covost2_rows" / pair / f"covost_v2.{pair}.tsv")
            corpus.tables[pair] = list(
                zip(table["path"], table["translation"], ["train"] * len(table), strict=True)
            )
            for path, translation in zip(table["path"], table["translation"], strict=True):
                if path in corpus.sentences:
                    expected |= {(pair, translation), (source, repair_text(corpus.sentences[path]))}
        corpus.clips = dict.fromkeys(corpus.sentences, sound)
        summary = corpus.fetch(folder)
        resample(summary, folder / "resample", ResampleOptions())
        join(summary, folder / "join", official_counts=False)
        joined, resampled = (folder / step / "summary.json" for step in ("join", "resample"))
        assert filter_rows(joined, resampled, folder / "filter", FilterOptions()).dropped == {}
        filtered.append(folder / "filter" / "summary.json")
    mix(filtered, tmp_path / "mix", MixtureOptions(pairs=list(PAIRS)), seed=1)
    found = {
        (row["source"] if row["task"] == "asr" else f"{row['source']}_{row['target']}", row["text"])
        for row in open_rows(tmp_path / "mix" / "summary.json").to_pylist()
    }
    assert {(name, text.encode()) for name, text in found} == {
        (name, text.encode()) for name, text in expected
    }


def test_join_is_read_alike_by_readers_without_an_escape_character(tmp_path: Path, real: Path) -> None:
    files = release(real, "en", tmp_path)
    fetched("en", ["en_de"], tmp_path / "en", files)
    join(tmp_path / "en" / "summary.json", tmp_path / "join", official_counts=False)
    path = tmp_path / "join" / "covost_v2.en_de.train.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows[0]["sentence"] == (
        '"These data components in turn serve as the ""building blocks"" of data exchanges."'
    )
    assert (
        rows[0]["translation"]
        == "Diese Datenkomponenten wiederum dienen als die „Grundbausteine“ zum Datenaustausch."
    )


def test_repair_leaves_no_residue_in_real_sentences(real: Path) -> None:
    sentences = {
        text
        for pair in PAIRS
        for text in read_tsv_file(real / "covost2_rows" / pair / "validated.tsv", ("sentence",))["sentence"]
    }
    changed = {text: repair_text(text) for text in sentences if repair_text(text) != text}
    assert changed
    for raw, repaired in changed.items():
        assert csv.reader([raw]).__next__() == [repaired]
    assert not [text for text in map(repair_text, sentences) if '""' in text]


# seconds as soundfile decodes them, rate of the file
CLIPS = {
    "common_voice_de_18217625.mp3": (3.072, 48_000),
    "common_voice_en_22058264.mp3": (4.104, 48_000),
    "common_voice_en_651325.mp3": (2.376, 48_000),
    "common_voice_fr_19176154.wav": (4.464, 48_000),
    "common_voice_it_20020291.mp3": (4.248, 48_000),
    "opus_48000.opus": (1.0, 48_000),
    "stereo_44100.mp3": (110_592 / 44_100, 44_100),
    "stereo_8k_short.mp3": (1.0, 8_000),
}


def test_real_and_odd_clips_are_resampled_whole(tmp_path: Path, real: Path) -> None:
    corpus = Release()
    for path in sorted([*real.glob("clips/*/*"), *real.glob("edge/*")]):
        corpus.add(path.name, path.read_bytes(), "Une phrase.", "A sentence.")
    assert set(corpus.clips) == set(CLIPS)
    summary = resample(corpus.fetch(tmp_path), tmp_path / "out", ResampleOptions())
    assert summary.dropped == {}
    store = AudioStore.open(tmp_path / "out" / "summary.json")
    for name, (seconds, _) in CLIPS.items():
        clip = name.rsplit(".", 1)[0]
        samples = store.samples(clip)
        assert store.seconds(clip) == pytest.approx(seconds, abs=1e-9)
        assert len(samples) == pytest.approx(16_000 * seconds, abs=1)
        assert np.sqrt(np.mean(samples**2)) > 0.003


def test_remnants_of_real_clips_are_known_by_their_sentence(tmp_path: Path, real: Path) -> None:
    corpus = Release("it")
    data = next(real.glob("clips/it/*")).read_bytes()
    sentence = "Per essa è consigliata una durata di due settimane."
    corpus.add("whole.mp3", data, sentence, "For this, two weeks are recommended.", pair="it_en")
    corpus.add("rest.mp3", data[:2000], sentence, "For this, two weeks are recommended.", pair="it_en")
    summary = resample(corpus.fetch(tmp_path), tmp_path / "out", ResampleOptions())
    assert summary.details.reasons == {"rest": "truncated"}
