"""Decode one clip to 16 kHz mono FLAC, or say why it cannot be used."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from llast.corpus.archive import MAX_CLIP_BYTES
from llast.corpus.cut import has_frame_count, is_cut
from llast.errors import DataError

SAMPLE_RATE = 16_000
MAX_CHARACTERS_PER_S = {True: 50.0, False: 25.0}
"""Characters of text per second of speech that nobody reaches, by whether the language writes spaces.

Read speech has 13 to 20 characters/s in alphabets, about 4 in Chinese, 7 in Japanese with kanji. A clip above
these bounds is a remnant of a longer one.
"""
SHORTFALL_S = 0.2
"""How much shorter than its own header says a clip may decode: whole clips do so by 0 to 6 ms."""
MAX_SECONDS = 300
"""Clips of Common Voice have some seconds, a few 40; half a megabyte of FLAC can hold an hour of nothing."""
MAX_SAMPLES = MAX_SECONDS * 48_000
"""Samples of a clip, over all channels: what a worker holds of one."""
SILENCE = 0.5 / 32_768
"""What is never as loud as this is stored as zeros."""
RATES = (4_000, 768_000)
"""Sampling rates of speech, the least and the most. A header that says 1 Hz makes hours of a second."""


@dataclass(frozen=True)
class DecodedClip:
    """A clip after decoding.

    Attributes:
        clip: its id.
        seconds: length of the decoded signal, 0 if there is none.
        flac: FLAC file, 16 kHz, mono, 16 bit; empty if the clip is unusable, or stays in place.
        file: path of a clip that stays in place.
        reason: why it is unusable (`empty`, `undecodable`, `odd_rate`, `truncated`, `silent`, `too_short`,
            `too_long`), or empty.
    """

    clip: str
    seconds: float = 0.0
    flac: bytes = b""
    reason: str = ""
    file: str = ""


def decode_clip(clip: str, data: bytes | Path, least_seconds: float, text_seconds: float) -> DecodedClip:
    """Decode a clip of any format, channel count and rate that libsndfile knows.

    Args:
        clip: its id.
        data: the file; its path, if it stays in place.
        least_seconds: shorter clips are `too_short`.
        text_seconds: the shortest time in which its sentence can be spoken; shorter clips are `truncated`.
            So are clips that end before their headers say (see `llast.corpus.cut`) or decode to less than these
            promise (mp3 with a Xing or LAME header): libsndfile decodes what is left of a truncated mp3 without
            complaint. Clips of more than `MAX_SECONDS`, `MAX_SAMPLES` or `MAX_CLIP_BYTES` are `too_long`, those whose
            stored samples are all 0 `silent`.
    """
    file = ""
    if isinstance(data, Path):
        if data.stat().st_size > MAX_CLIP_BYTES:
            return DecodedClip(clip, reason="too_long")
        file, data = str(data), data.read_bytes()
    if not data:
        return DecodedClip(clip, reason="empty")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            rate = sound.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                return DecodedClip(clip, reason="odd_rate")
            promised = sound.frames if has_frame_count(data) else 0
            most = min(MAX_SAMPLES // sound.channels, MAX_SECONDS * rate)
            channels = sound.read(most + 1, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError):
        return DecodedClip(clip, reason="undecodable")
    seconds = len(channels) / rate
    if len(channels) > most:
        return DecodedClip(clip, seconds, reason="too_long")
    signal = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    if not len(signal) or not np.isfinite(signal).all():
        return DecodedClip(clip, seconds, reason="undecodable")
    if seconds < text_seconds or promised / rate - seconds > SHORTFALL_S or (not promised and is_cut(data)):
        return DecodedClip(clip, seconds, reason="truncated")
    if np.abs(signal).max() < SILENCE:
        return DecodedClip(clip, seconds, reason="silent")
    if seconds < least_seconds:
        return DecodedClip(clip, seconds, reason="too_short")
    if file:
        return DecodedClip(clip, seconds, file=file)
    return DecodedClip(clip, seconds, _flac(soxr.resample(signal, rate, SAMPLE_RATE)))


def text_seconds(sentence: str, spaced: bool) -> float:
    """The shortest time in which a sentence can be spoken, in seconds."""
    return len(sentence) / MAX_CHARACTERS_PER_S[spaced]


def decode_flac(flac: bytes) -> np.ndarray:
    """Samples of a FLAC file that `decode_clip` made: float32 of shape (samples,), in [-1, 1)."""
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="float32")
    return samples


def decode_file(file: str) -> np.ndarray:
    """Samples of a clip in place: float32 of shape (samples,) at 16 kHz, mono.

    Raises:
        DataError: the file is gone or damaged.
    """
    try:
        # Not by its name: libsndfile would look for a file of macOS beside it, `._` and the name, and fail at that.
        with open(file, "rb") as opened, soundfile.SoundFile(opened) as sound:
            rate = sound.samplerate
            channels = sound.read(MAX_SAMPLES // sound.channels, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(
            f"{file} cannot be read any more ({error}). Put it back, or run the steps fetch and resample again."
        ) from None
    signal = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    return signal if rate == SAMPLE_RATE else soxr.resample(signal, rate, SAMPLE_RATE)


def _flac(signal: np.ndarray) -> bytes:
    pcm = np.clip(np.rint(signal * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
