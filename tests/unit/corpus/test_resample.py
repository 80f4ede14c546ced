import io
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from llast.artifacts.corpus import ResampleSummary
from llast.config.corpus import ResampleOptions
from llast.corpus.cut import is_cut
from llast.corpus.decode import MAX_SAMPLES, decode_clip, decode_file, decode_flac
from llast.corpus.resample import resample
from llast.corpus.store import AudioStore
from llast.errors import DataError
from tests.unit.corpus.conftest import Release, tone

SMALL_SHARDS = ResampleOptions(clips_per_shard=3)


def store_bytes(output: Path) -> dict[str, bytes]:
    folder = output / ResampleSummary.read(output / "summary.json").details.store
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def dropped(summary: ResampleSummary) -> dict[str, str]:
    return summary.details.reasons


@pytest.mark.parametrize(("root", "last"), [("", False), ("cv-corpus-5.1/fr/", True)])
def test_every_clip_is_stored_or_quarantined_with_its_reason(
    tmp_path: Path, release: Release, root: str, last: bool
) -> None:
    summary = resample(release.fetch(tmp_path, root, last), tmp_path / "out", ResampleOptions())
    assert dropped(summary) == {
        "none": "missing",
        "zero": "empty",
        "text": "undecodable",
        "cut": "truncated",
        "short": "too_short",
    }
    assert (summary.rows_in, summary.rows_out) == (15, 10)
    store = AudioStore.open(tmp_path / "out" / "summary.json")
    assert store.clips == [*(f"good{n}" for n in range(6)), "opus", "rate32", "stereo", "wave"]
    assert summary.details.seconds == pytest.approx(sum(store.durations().values()))


def test_samples_are_the_clip_at_16_khz(tmp_path: Path, release: Release) -> None:
    resample(release.fetch(tmp_path), tmp_path / "out", ResampleOptions())
    store = AudioStore.open(tmp_path / "out" / "summary.json")
    for clip, pitch, seconds in (
        ("good0", 300, 1.0),
        ("good5", 550, 1.5),
        ("stereo", 440, 1.5),
        ("rate32", 440, 1.5),
        ("wave", 440, 1.5),
        ("opus", 440, 1.5),
    ):
        samples = store.samples(clip)
        assert samples.dtype == np.float32
        assert store.seconds(clip) == pytest.approx(seconds, abs=0.03)
        assert len(samples) == pytest.approx(16_000 * seconds, abs=480)
        middle = samples[4_000:12_000]
        assert np.argmax(np.abs(np.fft.rfft(middle))) * 2 == pitch
        assert np.abs(middle).max() == pytest.approx(0.3, abs=0.03)


def test_store_says_what_it_has(tmp_path: Path, release: Release) -> None:
    resample(release.fetch(tmp_path), tmp_path / "out", SMALL_SHARDS)
    store = AudioStore.open(tmp_path / "out" / "summary.json")
    assert "good3" in store
    assert "zero" not in store
    assert store.seconds("zero") is None
    assert len(store) == 10
    with pytest.raises(DataError, match="'zero'"):
        store.samples("zero")
    copy = pickle.loads(pickle.dumps(store))
    assert np.array_equal(copy.samples("stereo"), store.samples("stereo"))


def test_shards_open_with_datasets(tmp_path: Path, release: Release) -> None:
    dataset = pytest.importorskip("datasets", reason="the package datasets is not installed").Dataset
    summary = resample(release.fetch(tmp_path), tmp_path / "out", SMALL_SHARDS)
    shards = sorted((tmp_path / "out" / summary.details.store).glob("shard-*.arrow"))
    assert [len(dataset.from_file(str(path))) for path in shards] == [3, 3, 3, 1]
    row = dataset.from_file(str(shards[2]))[0]
    assert row["clip"] == "stereo"
    samples, rate = soundfile.read(io.BytesIO(row["flac"]))
    assert (rate, samples.ndim) == (16_000, 1)
    assert len(samples) == pytest.approx(16_000 * row["seconds"], abs=1)


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, release: Release) -> None:
    for number in range(40):
        release.add(f"more{number}.mp3", tone(0.3, pitch=200 + 10 * number), f"m{number}", f"m{number}")
    fetched = release.fetch(tmp_path)
    one = resample(fetched, tmp_path / "one", SMALL_SHARDS, workers=1)
    two = resample(fetched, tmp_path / "two", SMALL_SHARDS, workers=2)
    assert one.details == two.details
    assert store_bytes(tmp_path / "one") == store_bytes(tmp_path / "two")


def test_archive_layout_does_not_change_the_audio(tmp_path: Path, release: Release) -> None:
    resample(release.fetch(tmp_path / "flat"), tmp_path / "a", ResampleOptions())
    resample(release.fetch(tmp_path / "nested", "cv-corpus-9/fr/", True), tmp_path / "b", ResampleOptions())
    assert store_bytes(tmp_path / "a") == store_bytes(tmp_path / "b")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fetched summary of 150 clips, some of them empty."""
    release = Release()
    for number in range(150):
        data = b"" if number % 20 == 7 else tone(1.0, pitch=200 + 5 * number)
        release.add(f"c{number:03}.mp3", data, f"n{number}", f"n{number}")
    return release.fetch(tmp_path_factory.mktemp("many"))


def start(fetched: Path, output: Path, workers: int = 1) -> "subprocess.Popen[bytes]":
    """Start resampling in a process of its own, and wait until it is past its imports."""
    script = (
        "import sys; from pathlib import Path; from llast.corpus.resample import resample;"
        "from llast.config.corpus import ResampleOptions as O;"
        "resample(Path(sys.argv[1]), Path(sys.argv[2]), O(clips_per_shard=3), workers=int(sys.argv[3]))"
    )
    command = [sys.executable, "-c", script, str(fetched), str(output), str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not output.exists() and process.poll() is None:
        time.sleep(0.002)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "shards_before"), [(1, 4), (2, 8)])
def test_a_killed_run_goes_on_after_its_last_complete_shard(
    tmp_path: Path, many: Path, workers: int, shards_before: int
) -> None:
    output = tmp_path / "killed"
    process = start(many, output, workers)
    while len(list(output.glob("*/shard-*.arrow"))) < shards_before and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (output / "summary.json").exists()
    before = {path: path.stat().st_mtime_ns for path in output.glob("*/shard-*.arrow")}
    assert shards_before <= len(before) < 47
    resample(many, output, SMALL_SHARDS)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    _wait_until_alone(process.pid)


@pytest.mark.slow
def test_killed_at_any_moment_again_and_again_the_result_is_that_of_a_run_in_peace(
    tmp_path: Path, many: Path
) -> None:
    began = time.monotonic()
    whole = resample(many, tmp_path / "whole", SMALL_SHARDS)
    longest = 1.1 * (time.monotonic() - began)
    peace = store_bytes(tmp_path / "whole")
    output, draw = tmp_path / "killed", random.Random(4)
    kills = ends = 0
    while kills < 24 or ends < 1:
        process = start(many, output)
        try:
            process.wait(draw.uniform(0, longest if kills < 24 else 60))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            continue
        assert process.returncode == 0
        assert ResampleSummary.read(output / "summary.json").details == whole.details
        assert store_bytes(output) == peace
        shutil.rmtree(output)
        ends += 1


def _wait_until_alone(session: int) -> None:
    """The decoding processes of a killed run end by themselves."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("decoding processes outlive their killed parent")


def test_an_unreadable_shard_is_made_again(tmp_path: Path, release: Release) -> None:
    fetched = release.fetch(tmp_path)
    resample(fetched, tmp_path / "out", SMALL_SHARDS)
    good = store_bytes(tmp_path / "out")
    folder = tmp_path / "out" / ResampleSummary.read(tmp_path / "out" / "summary.json").details.store
    (folder / "shard-00001.arrow").write_bytes(good["shard-00001.arrow"][:1000])
    (folder / ".shard-00002.left.arrow").write_bytes(b"half")
    resample(fetched, tmp_path / "out", SMALL_SHARDS)
    assert store_bytes(tmp_path / "out") == good


def test_changed_options_start_a_new_store_and_the_old_one_is_named(
    tmp_path: Path, release: Release, capfd: pytest.CaptureFixture[str]
) -> None:
    fetched = release.fetch(tmp_path)
    first = resample(fetched, tmp_path / "out", ResampleOptions())
    second = resample(fetched, tmp_path / "out", ResampleOptions(min_seconds=1.05))
    assert first.details.store != second.details.store
    assert first.details.store in capfd.readouterr().err
    assert dropped(second)["good0"] == "too_short"
    assert AudioStore.open(tmp_path / "out" / "summary.json").clips[0] == "good1"


def test_a_translation_that_changes_keeps_the_store(tmp_path: Path, release: Release) -> None:
    first = resample(release.fetch(tmp_path / "a"), tmp_path / "out", ResampleOptions())
    release.tables["fr_en"] = [(path, text + "!", label) for path, text, label in release.tables["fr_en"]]
    second = resample(release.fetch(tmp_path / "b"), tmp_path / "out", ResampleOptions())
    assert first.details.store == second.details.store


def test_the_same_audio_in_other_shards_is_the_same_audio(tmp_path: Path, release: Release) -> None:
    fetched = release.fetch(tmp_path)
    first, second = (
        resample(fetched, tmp_path / "out", ResampleOptions(clips_per_shard=n)).details for n in (3, 4)
    )
    assert first.store != second.store
    assert first.audio == second.audio


KINDS = {
    "MP3": (16_000, 44_100, 48_000),
    "WAV": (16_000, 44_100),
    "AIFF": (16_000,),
    "AU": (8_000,),
    "RF64": (16_000,),
    "W64": (16_000,),
    "NIST": (16_000,),
}


@pytest.mark.parametrize(("kind", "rate"), [(kind, rate) for kind, rates in KINDS.items() for rate in rates])
def test_whole_clips_are_never_truncated_and_half_ones_always(kind: str, rate: int) -> None:
    for seconds in (1.0, 3.7):
        data = tone(seconds, rate=rate, kind=kind)
        assert not decode_clip("a", data, 0.1, 0.0).reason
        assert decode_clip("a", data[: len(data) // 2], 0.1, 0.0).reason == "truncated"


def test_a_clip_in_place_is_read_beside_a_file_of_macos(tmp_path: Path) -> None:
    """Which libsndfile would take for its resource fork."""
    (tmp_path / "a.mp3").write_bytes(tone(1.0))
    (tmp_path / "._a.mp3").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(200))
    assert len(decode_file(str(tmp_path / "a.mp3"))) == 16_000


def test_an_ogg_is_cut_where_a_page_is() -> None:
    data = tone(3.7, kind="OPUS")
    assert not decode_clip("a", data, 0.1, 0.0).reason
    assert decode_clip("a", data[: len(data) // 2], 0.1, 0.0).reason == "truncated"
    assert [end for end in range(len(data) // 4, len(data)) if not is_cut(data[:end])] == [
        place for place in range(len(data) // 4, len(data)) if data[place : place + 4] == b"OggS"
    ]


def without_frame_count(data: bytes) -> bytes:
    """An mp3 as most of Common Voice are: without the first frame, which says how many follow."""
    bare = data[data.index(data[:2], 100) :] if b"Info" in data else data
    assert b"Info" not in bare
    return bare


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])  # of MPEG 2.5, 2 and 1
@pytest.mark.parametrize("tag", [b"", b"TAG" + bytes(125), bytes(300)])
def test_an_mp3_without_a_frame_count_is_cut_where_a_frame_is(rate: int, tag: bytes) -> None:
    bare = without_frame_count(tone(2.0, rate=rate))
    assert not decode_clip("a", bare + tag, 0.1, 0.0).reason
    ends = range(len(bare) // 4, len(bare), 7)
    cut = [is_cut(bare[:end]) for end in ends]
    assert cut.count(False) <= len(ends) / 30, "between two frames nothing tells it"
    assert is_cut(bare[:-1])
    assert decode_clip("a", bare[: ends[cut.index(True)]], 0.1, 0.0).reason == "truncated"


def test_a_cut_mp3_without_a_frame_count_that_ends_with_a_frame_is_known_by_its_sentence(
    tmp_path: Path,
) -> None:
    bare = without_frame_count(tone(4.0))
    rest = next(bare[:end] for end in range(9000, 12_000) if not is_cut(bare[:end]))
    release = Release()
    sentence = "Une phrase assez longue pour durer plus de quatre secondes."
    release.add("whole.mp3", bare, sentence, "x")
    release.add("rest.mp3", rest, sentence, "x")
    summary = resample(release.fetch(tmp_path), tmp_path / "out", ResampleOptions())
    assert dropped(summary) == {"rest": "truncated"}


def wav(rate: int, seconds: float = 1.0, peak: float = 0.3) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(int(rate * seconds), peak), rate, format="WAV", subtype="PCM_24")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wav(1, 150_000), "odd_rate"),
        (wav(3_999), "odd_rate"),
        (wav(800_000), "odd_rate"),
        (wav(4_000, 301), "too_long"),
        (wav(4_000, 299), ""),
        (wav(384_000), ""),
        (wav(16_000, peak=0.0), "silent"),
        (wav(16_000, peak=1e-5), "silent"),
        (wav(16_000, peak=4e-5), ""),
    ],
)
def test_clips_of_no_speech_are_told_apart(data: bytes, reason: str) -> None:
    began = time.monotonic()
    decoded = decode_clip("a", data, 0.1, 0.0)
    assert (decoded.reason, bool(decoded.flac)) == (reason, not reason)
    assert time.monotonic() - began < 5
    if not reason:
        assert decode_flac(decoded.flac).any()


def test_a_giant_file_that_stays_in_place_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert decode_clip("a", path, 0.1, 0.0).reason == "too_long"


@pytest.mark.parametrize("channels", [1, 4])
def test_a_small_file_that_unfolds_to_hours_is_refused_before_it_does(channels: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((MAX_SAMPLES // channels + 2, channels), np.int16), 48_000, format="FLAC")
    assert len(file.getvalue()) < 1_000_000
    decoded = decode_clip("a", file.getvalue(), 0.1, 0.0)
    assert (decoded.reason, decoded.flac) == ("too_long", b"")
    assert decoded.seconds == pytest.approx(300 / channels, abs=0.001)


def test_an_archive_that_took_the_place_of_the_fetched_one_is_noticed(
    tmp_path: Path, release: Release
) -> None:
    fetched = release.fetch(tmp_path)
    release.clips["more.mp3"], release.tables = tone(1.2), {}
    release.write(tmp_path / "files")
    with pytest.raises(DataError, match=r"fr\.tar\.gz.*snakemake --forcerun fetch"):
        resample(fetched, tmp_path / "out", ResampleOptions())


def test_a_missing_archive_is_named(tmp_path: Path, release: Release) -> None:
    fetched = release.fetch(tmp_path)
    (tmp_path / "files" / "fr.tar.gz").unlink()
    with pytest.raises(DataError, match=r"fr\.tar\.gz"):
        resample(fetched, tmp_path / "out", ResampleOptions())
    assert not (tmp_path / "out" / "summary.json").exists()
