"""Users' audio files: any format and length, in their order, from a run and from an exported folder."""

import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import llast.cli as cli
from llast.errors import ConfigError, DataError
from llast.release import segmentation
from llast.release.export import export
from llast.release.segmentation import cut_at_pauses, read_audio, seconds_of
from llast.release.trained import find_checkpoint
from llast.release.translate_files import translate_files

pytestmark = pytest.mark.slow

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def with_pauses(seconds: float, pauses: list[float]) -> np.ndarray:
    """Noise with 0.6 s of near silence around these times."""
    signal = noise(seconds)
    for pause in pauses:
        signal[int((pause - 0.3) * RATE) : int((pause + 0.3) * RATE)] *= 0.001
    return signal


def test_long_files_are_cut_in_their_pauses() -> None:
    signal = with_pauses(70, [10, 20, 26, 48, 59])
    spans = cut_at_pauses(signal, 30)
    assert [round(start / RATE, 1) for start, _ in spans] == pytest.approx([0, 26, 48], abs=0.2)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(signal)
    assert all(after[0] == before[1] for before, after in itertools.pairwise(spans)), "nothing is lost"
    assert all(end - start <= 30 * RATE for start, end in cut_at_pauses(noise(100), 30))
    assert cut_at_pauses(noise(29.9), 30) == [(0, len(noise(29.9)))]


def test_segments_without_a_sound_are_left_out() -> None:
    signal = np.concatenate([noise(20), np.zeros(60 * RATE, np.float32), noise(5)])
    spans = cut_at_pauses(signal, 30)
    heard = sum(end - start for start, end in spans)
    assert heard < 60 * RATE
    for start, end in ((0, 20 * RATE), (80 * RATE, len(signal))):
        assert any(a <= start and end <= b for a, b in spans), "all that is said is in some segment"
    assert cut_at_pauses(np.zeros(RATE, np.float32), 30) == []


def test_any_format_rate_and_channels(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100).astype(np.float32) / 2
    for name in ("a.wav", "a.flac", "a.mp3", "a.ogg"):
        soundfile.write(tmp_path / name, np.stack([tone, tone], axis=1), 44_100)
        samples = read_audio(tmp_path / name)
        assert samples.dtype == np.float32
        assert len(samples) == pytest.approx(RATE, abs=2_000)
        power = np.abs(np.fft.rfft(samples[2_000:12_000]))
        assert np.argmax(power) * RATE / 10_000 == pytest.approx(440, abs=2)
    (tmp_path / "text.mp3").write_text("no sound")
    for name, value in (("nan.wav", np.nan), ("inf.wav", np.inf)):
        soundfile.write(tmp_path / name, np.append(tone, value), 44_100, subtype="FLOAT")
    for name in ("none.wav", "text.mp3", "nan.wav", "inf.wav"):
        with pytest.raises(DataError, match=name):
            read_audio(tmp_path / name)


def test_what_nobody_can_have_recorded_is_refused_before_it_is_read(tmp_path: Path) -> None:
    began = time.monotonic()
    soundfile.write(tmp_path / "slow.wav", noise(10), 1)  # 44 hours, in a header
    soundfile.write(tmp_path / "fast.wav", noise(1), 1_000_000)
    soundfile.write(tmp_path / "long.flac", np.zeros(13 * 3600 * 4_000, np.int16), 4_000)
    os.mkfifo(tmp_path / "pipe.wav")
    for name, said in (
        ("slow.wav", r"\b1 Hz"),
        ("fast.wav", "1,000,000 Hz"),
        ("long.flac", "13 hours"),
        ("pipe.wav", "regular file"),
        (".", "regular file"),
    ):
        with pytest.raises(DataError, match=f"{tmp_path / name}.*{said}"):
            read_audio(tmp_path / name)
    assert seconds_of(tmp_path / "pipe.wav") == 0
    assert time.monotonic() - began < 20


def test_a_file_that_is_read_in_pieces_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.flac", np.stack([noise(9), noise(9, 1)], axis=1), 44_100)
    whole = read_audio(tmp_path / "a.flac")
    monkeypatch.setattr(segmentation, "BLOCK", 10_007)
    assert np.array_equal(read_audio(tmp_path / "a.flac"), whole)
    channels, rate = soundfile.read(tmp_path / "a.flac", dtype="float32")
    assert np.array_equal(whole, soxr.resample(channels.mean(axis=1), rate, RATE))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two short files and one of 40 s."""
    folder = tmp_path_factory.mktemp("audio")
    names = ["short.flac", "long.wav", "other.mp3"]
    for name, signal in zip(names, (noise(1, 1), with_pauses(40, [22]), noise(2, 2)), strict=True):
        soundfile.write(folder / name, signal, RATE)
    return [folder / name for name in names]


def arguments(files: list[Path], model: Path, *more: str) -> list[str]:
    return [
        "translate",
        *map(str, files),
        "--model",
        str(model),
        "--from",
        "fr",
        "--to",
        "en",
        "--beams",
        "1",
        *more,
    ]


def test_files_are_translated_in_order_and_long_ones_joined(
    run: Path, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(files, run, "--jsonl")) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["file"] for record in records] == list(map(str, files))
    long = records[1]
    assert [round(segment["start"]) for segment in long["segments"]] == [0, 22]
    assert long["segments"][-1]["end"] == long["seconds"] == 40
    assert long["text"] == " ".join(segment["text"] for segment in long["segments"])
    assert (long["source"], long["target"]) == ("fr", "en")
    assert cli.main(arguments(files[:1], run)) == 0
    assert capsys.readouterr().out == records[0]["text"] + "\n"
    assert cli.main(arguments(files[:2], run)) == 0
    assert capsys.readouterr().out == "".join(f"{r['file']}\t{r['text']}\n" for r in records[:2])


def test_a_checkpoint_and_an_exported_folder_say_what_the_run_says(
    run: Path, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(run, tmp_path / "exported", adapters_only=True)
    said = []
    for model in (run, find_checkpoint(run, None).folder, tmp_path / "exported"):
        assert cli.main(arguments(files[::2], model)) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]
    assert said[0].count("\t") == 2


def test_a_broken_file_does_not_stop_the_others(
    run: Path, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "slow.wav", noise(10), 1)  # 44 hours, in a header
    os.mkfifo(tmp_path / "pipe.wav")
    bad = [tmp_path / name for name in ("none.wav", "silent.wav", "slow.wav", "pipe.wav")]
    assert cli.main(arguments([bad[0], files[0], *bad[1:], files[2]], run)) == 3
    output = capsys.readouterr()
    assert [line.split("\t")[0] for line in output.out.splitlines()] == [str(files[0]), str(files[2])]
    assert all(str(file) in output.err for file in bad)
    assert not any(str(file) in output.err for file in files)


def test_mistakes_are_found_before_anything_is_loaded(run: Path, files: list[Path]) -> None:
    with pytest.raises(ConfigError, match="'english'"):
        next(translate_files(files, run, "fr", "english"))
    with pytest.raises(ConfigError, match="60"):
        next(translate_files(files, run, "fr", "en", segment_seconds=60))
