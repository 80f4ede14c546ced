"""Corpora from Data Collective, from the hub and from a prepared folder come out of join and resample as any other."""

import io
import os
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from llast.artifacts.corpus import FetchSummary, JoinSummary, ResampleSummary
from llast.config.corpus import ResampleOptions
from llast.config.steps import FetchOptions
from llast.corpus.fetch import fetch
from llast.corpus.join import join
from llast.corpus.parquet import inspect, read_clips
from llast.corpus.resample import resample
from llast.corpus.sources import CorpusSource
from llast.corpus.sources.huggingface import HuggingFaceSource
from llast.corpus.sources.mdc import MdcSource
from llast.corpus.sources.prepared import PreparedSource
from llast.corpus.store import AudioStore
from llast.errors import ConfigError, DataError, UserError
from llast.languages import SPLITS
from tests.unit.corpus.conftest import Release, tone
from tests.unit.corpus.server import KEY, SIGNATURE, Server
from tests.unit.corpus.small import Small

REVISION = "17c8c81e331e7a6929118121771a58c7ef7331d8"


@pytest.fixture(autouse=True)
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDC_API_URL", server.url("api"))
    monkeypatch.setenv("MDC_API_KEY", KEY)
    monkeypatch.setenv("HF_TOKEN", KEY)
    template = huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE
    hub = huggingface_hub.constants.ENDPOINT
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.address)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template.replace(hub, server.address)
    )


def english(pairs: tuple[str, ...] = ("en_de", "en_ja")) -> Release:
    """Six clips that two pairs share, with text that a careless reader would change."""
    release = Release("en")
    for number, label in enumerate(["train", "train_covost", "dev", "dev", "test", "dev_covost"]):
        name = f"common_voice_en_{number}.mp3"
        for pair in pairs:
            text = f'"{pair}" NA {number}'
            release.add(name, tone(1.0 + number / 10), f'"She said ""{number}""."', text, label, pair)
    return release


def steps(folder: Path, pairs: list[str], source: CorpusSource) -> tuple[JoinSummary, ResampleSummary, Path]:
    """Run fetch, join and resample; the summaries of the last two, and where all is."""
    fetch(pairs[0].split("_")[0], pairs, folder / "fetch", FetchOptions(source=source), folder / "downloads")
    fetched = folder / "fetch" / "summary.json"
    joined = join(fetched, folder / "join", official_counts=False)
    resampled = resample(fetched, folder / "resample", ResampleOptions(clips_per_shard=2))
    return joined, resampled, folder


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "join").glob("*.tsv")}


def audio(folder: Path) -> dict[str, np.ndarray]:
    store = AudioStore.open(folder / "resample" / "summary.json")
    return {clip: store.samples(clip) for clip in store.clips}


def assert_same(one: Path, other: Path) -> None:
    assert texts(one) == texts(other)
    ours, theirs = audio(one), audio(other)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[clip], theirs[clip]) for clip in ours)


def local(folder: Path, release: Release) -> Path:
    """The same corpus from files that are here: what the others are compared with."""
    return steps(folder / "local", list(release.tables), release.write(folder / "local" / "files"))[2]


def test_a_data_set_of_data_collective_is_downloaded_once(tmp_path: Path, server: Server) -> None:
    release = english()
    expected = local(tmp_path, release)
    files = release.write(tmp_path / "mdc", "cv-corpus-26.0-2026-06-12/en/")
    server.files["cv-26-en.tar.gz"] = (tmp_path / "mdc" / "en.tar.gz").read_bytes()
    server.data_sets, server.accepted = {"cm1en": "cv-26-en.tar.gz"}, {"cm1en"}
    source = MdcSource(datasets={"en": "cm1en"}, tables=files.tables)
    for _ in range(2):
        assert_same(steps(tmp_path / "out", list(release.tables), source)[2], expected)
    assert (server.asked("/download"), server.asked("signed")) == (1, 1)


def test_an_address_that_expires_half_way_is_renewed(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    release = english(("en_de",))
    files = release.write(tmp_path)
    server.files["en.tar.gz"] = (tmp_path / "en.tar.gz").read_bytes()
    server.data_sets, server.accepted = {"cm1en": "en.tar.gz"}, {"cm1en"}
    server.faults = ["503", "", "cut", "", "403", "429 1", ""]
    fetch(
        "en",
        ["en_de"],
        tmp_path / "out",
        FetchOptions(source=MdcSource(datasets={"en": "cm1en"}, tables=files.tables)),
        tmp_path,
    )
    assert (server.asked("/download"), server.asked("signed")) == (5, 3)


@pytest.mark.parametrize(
    ("key", "data_set", "message", "error"),
    [
        (
            "",
            "cm1en",
            r"MDC_API_KEY.*https://.*/datasets/cm1en",
            ConfigError,
        ),
        (
            "wrong",
            "cm1en",
            r"HTTP 401.*MDC_API_KEY",
            DataError,
        ),
        (KEY, "cm2en", r"HTTP 403.*https://.*/datasets/cm2en", DataError),
        (KEY, "cm9en", r"HTTP 404.*source\.datasets\.en", DataError),
    ],
)
def test_data_collective_refuses_with_the_next_thing_to_do(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    data_set: str,
    message: str,
    error: type[UserError],
) -> None:
    server.data_sets, server.accepted = {"cm1en": "a", "cm2en": "a"}, {"cm1en"}
    monkeypatch.setenv("MDC_API_KEY", key)
    with pytest.raises(error, match=message) as caught:
        fetch(
            "en",
            ["en_de"],
            tmp_path / "out",
            FetchOptions(source=MdcSource(datasets={"en": data_set})),
            tmp_path / "downloads",
        )
    assert "wrong" not in str(caught.value)
    assert SIGNATURE not in str(caught.value)


def put_on_hub(server: Server, release: Release, pair: str, name: str = "fixie-ai/covost2") -> None:
    """Parquet files as the hub has them: two of each split that has two rows."""
    server.repository = f"{name}@{REVISION}"
    label = {"train": "train", "train_covost": "train", "dev": "validation", "test": "test"}
    rows: dict[str, list[dict[str, object]]] = {"train": [], "validation": [], "test": []}
    for clip, translation, split in release.tables[pair]:
        if split in label:
            rows[label[split]].append(
                {
                    "client_id": "speaker1",
                    "file": f"/somewhere/clips/{clip}",
                    "audio": {"bytes": release.clips[clip], "path": clip},
                    "sentence": release.sentences[clip],
                    "translation": translation,
                    "id": clip.removesuffix(".mp3"),
                }
            )
    for split, all_of_it in rows.items():
        parts = min(2, len(all_of_it))
        for part in range(parts):
            file = io.BytesIO()
            rows_of_it = all_of_it[part:] if part else all_of_it[: len(all_of_it) - parts + 1]
            pq.write_table(pa.Table.from_pylist(rows_of_it), file)
            server.files[f"hub/{pair}/{split}-{part:05d}-of-{parts:05d}.parquet"] = file.getvalue()


def test_english_is_downloaded_from_the_hub_once_for_all_its_pairs(tmp_path: Path, server: Server) -> None:
    release = english(("en_ja", "en_ca"))
    expected = local(tmp_path, release)
    release.tables["en_de"] = release.tables["en_ja"]
    put_on_hub(server, release, "en_de")
    tables = str(tmp_path / "local" / "files" / "covost_v2.{pair}.tsv.tar.gz")
    source = HuggingFaceSource(tables=tables)
    joined, _, folder = steps(tmp_path / "out", ["en_ja", "en_ca"], source)
    assert_same(folder, expected)
    assert joined.dropped == {"not_validated": 2}, "of no split, and so not on the hub"
    assert server.asked("/resolve/") == 5
    asked = zip(server.requests, server.headers, strict=True)
    assert all(KEY in sent["Authorization"] for (path, _), sent in asked if "covost2" in path)
    before = len(server.requests)
    steps(tmp_path / "out", ["en_ja", "en_ca"], source)
    assert len(server.requests) == before, "what is here needs no network"
    (listing,) = (tmp_path / "out" / "downloads").rglob("files.json")
    for broken in ("[]", '{"files": [{"path": "a"}]}'):
        kept = listing.read_text()
        listing.write_text(broken)
        with pytest.raises(DataError, match=r"files\.json.*fetch"):
            steps(tmp_path / "out", ["en_ja", "en_ca"], source)
        listing.write_text(kept)
    next((tmp_path / "out" / "downloads").rglob("test-*.parquet")).write_bytes(b"")
    with pytest.raises(DataError, match=r"test-.*\.parquet"):
        steps(tmp_path / "out", ["en_ja", "en_ca"], source)


def test_what_the_hub_lacks_is_counted(tmp_path: Path, server: Server) -> None:
    release = english(("en_de",))
    files = release.write(tmp_path)
    del release.tables["en_de"][0], release.tables["en_de"][2]
    put_on_hub(server, release, "en_de")
    joined, resampled, _ = steps(tmp_path / "out", ["en_de"], HuggingFaceSource(tables=files.tables))
    assert joined.details.lost == {"en_de": {"train": 1, "dev": 1, "test": 0}}
    assert joined.details.counts == {"en_de": {"train": 1, "dev": 1, "test": 1}}
    assert (resampled.rows_out, resampled.dropped) == (3, {"missing": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revision": "0" * 40}, r"'0{40}'.*source\.revision"),
        ({"repository": "no/where"}, r"'no/where'.*source\.repository"),
    ],
)
def test_the_hub_refuses_with_the_key_to_correct(
    tmp_path: Path, server: Server, change: dict[str, str], message: str
) -> None:
    put_on_hub(server, english(), "en_de")
    with pytest.raises(ConfigError, match=message):
        fetch(
            "en",
            ["en_de"],
            tmp_path / "out",
            FetchOptions(source=HuggingFaceSource(**change)),
            tmp_path / "downloads",
        )


def test_clips_that_the_hub_has_without_sound_are_empty(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "client_id": None, "sentence": None, "audio": {"bytes": b"A", "path": "a.mp3"}},
        {"id": "b", "client_id": "x", "sentence": "y", "audio": {"bytes": None, "path": "b.mp3"}},
        {"id": "c", "client_id": "x", "sentence": "y", "audio": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train-00000-of-00001.parquet")
    audio, validated = inspect(tmp_path)
    assert list(read_clips(audio, "abc")) == [("a", b"A"), ("b", b""), ("c", b"")]
    assert b"\n\ta.mp3\t\n" in validated


def test_a_damaged_file_of_the_hub_is_named(tmp_path: Path, server: Server) -> None:
    put_on_hub(server, english(), "en_de")
    server.files["hub/en_de/test-00000-of-00001.parquet"] = b"PAR1 and no more"
    with pytest.raises(DataError, match=r"test-00000-of-00001\.parquet"):
        fetch(
            "en",
            ["en_de"],
            tmp_path / "out",
            FetchOptions(source=HuggingFaceSource()),
            tmp_path / "downloads",
        )


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Release, Path]:
    """A folder as users of the released code have it, made from a corpus that went through the steps."""
    release = english()
    expected = local(tmp_path, release)
    folder = tmp_path / "covost2"
    (folder / "tsv").mkdir(parents=True)
    for name, text in texts(expected).items():
        (folder / "tsv" / name).write_bytes(text)
    clips = folder / "audio" / "en" / "clips_16k"
    clips.mkdir(parents=True)
    for number, (clip, samples) in enumerate(audio(expected).items()):
        soundfile.write(clips / f"{clip}{'.mp3' * (number % 2)}.wav", samples, 16_000, subtype="PCM_16")
    return release, folder


@pytest.mark.parametrize("copy_audio", [False, True])
def test_a_prepared_folder_gives_the_same_corpus(
    tmp_path: Path, prepared: tuple[Release, Path], copy_audio: bool
) -> None:
    release, folder = prepared
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    source = PreparedSource(folder=str(folder), copy_audio=copy_audio)
    joined, resampled, out = steps(tmp_path / "out", list(release.tables), source)
    assert_same(out, tmp_path / "local")
    assert joined.dropped == {}
    assert resampled.rows_out == 5
    sound = sum(path.stat().st_size for path in (folder / "audio").rglob("*.wav"))
    stored = sum(path.stat().st_size for path in (out / "resample").rglob("*.arrow"))
    assert (stored < sound / 10) != copy_audio, "audio is copied only if asked for"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_clips_in_place_are_examined_and_followed(tmp_path: Path, prepared: tuple[Release, Path]) -> None:
    release, folder = prepared
    clips = folder / "audio" / "en" / "clips_16k"
    (clips / "common_voice_en_0.wav").write_bytes(b"")
    (clips / "common_voice_en_2.wav").unlink()
    soundfile.write(clips / "common_voice_en_4.wav", np.full((44_100, 2), 0.1), 44_100)
    source = PreparedSource(folder=str(folder))
    _, resampled, out = steps(tmp_path / "out", list(release.tables), source)
    assert resampled.dropped == {"empty": 1, "missing": 1}
    found = audio(out)
    assert len(found["common_voice_en_4"]) == 16_000
    (clips / "common_voice_en_4.wav").unlink()
    with pytest.raises(DataError, match=r"common_voice_en_4\.wav"):
        audio(out)


def test_what_changes_in_a_prepared_folder_is_other_audio(
    tmp_path: Path, prepared: tuple[Release, Path]
) -> None:
    """A clip of the same size, and a sentence, by whose length truncated clips are told."""
    release, folder = prepared
    source, found = PreparedSource(folder=str(folder)), []

    def audio_of() -> str:
        _, resampled, _ = steps(tmp_path / "out", list(release.tables), source)
        found.append(resampled.details.audio)
        return found[-1]

    assert audio_of() == audio_of()
    clip = folder / "audio/en/clips_16k/common_voice_en_0.wav"
    clip.write_bytes(clip.read_bytes()[:-1] + b"x")
    assert audio_of() != found[0]
    for table in (folder / "tsv").glob("*.en_*.tsv"):
        table.write_text(
            table.read_text().replace("She said", "She has said again and again and again and again")
        )
    assert audio_of() != found[2]


@pytest.mark.parametrize(
    "odd", [{"layout": "prepared"}, {"layout": "prepared", "source": {"copy_audio": True}}, {}]
)
def test_a_clip_that_has_changed_since_the_folder_was_fetched(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Else other audio would pass for that which the summary of fetch describes."""
    rules = Small(**odd).write(tmp_path)
    source = rules.resolved.corpus.source.for_language("de")
    fetch("de", ["de_en"], tmp_path / "fetch", FetchOptions(source=source), tmp_path / "downloads")
    fetched = tmp_path / "fetch" / "summary.json"
    (clip, *_) = sorted((tmp_path / "data").rglob("*.wav"))
    os.utime(clip, (1, 1))
    with pytest.raises(DataError, match="--forcerun fetch"):
        resample(fetched, tmp_path / "resample", ResampleOptions())


def test_sentences_that_differ_between_tables_are_said(
    tmp_path: Path, prepared: tuple[Release, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    release, folder = prepared
    table = folder / "tsv" / "covost_v2.en_ja.test.tsv"
    table.write_text(table.read_text().replace("She said", "He said"))
    joined, _, _ = steps(tmp_path / "out", list(release.tables), PreparedSource(folder=str(folder)))
    assert "1 clips of 'en'" in capfd.readouterr().err
    assert (tmp_path / "out/join/covost_v2.en_ja.test.tsv").read_text().count("She said") == 1
    assert joined.rows_out == 10


def test_what_a_prepared_folder_lacks_is_named(tmp_path: Path, prepared: tuple[Release, Path]) -> None:
    _, folder = prepared
    (folder / "tsv" / "covost_v2.en_ja.dev.tsv").unlink()
    source = PreparedSource(folder=str(folder))
    with pytest.raises(DataError, match=r"en_ja\.dev\.tsv.*dev_sets"):
        steps(tmp_path / "out", ["en_ja"], source)
    for split in SPLITS:
        name = f"covost_v2.{{}}.{split}.tsv"
        (folder / "tsv" / name.format("en_de")).rename(folder / "tsv" / name.format("de_en"))
    with pytest.raises(DataError, match=r"audio/de/clips_16k"):
        steps(tmp_path / "out", ["de_en"], source)


def test_the_summary_says_how_clips_are_read(tmp_path: Path, prepared: tuple[Release, Path]) -> None:
    release, folder = prepared
    steps(tmp_path / "out", list(release.tables), PreparedSource(folder=str(folder)))
    audio = FetchSummary.read(tmp_path / "out" / "fetch" / "summary.json").details.audio
    assert (audio.reader, audio.in_place) == ("files", True)
    assert audio.path == str(folder / "audio" / "en" / "clips_16k")
