"""Audio files of users: read them, and cut long ones at their pauses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from llast.corpus.decode import RATES
from llast.errors import DataError
from llast.model.features import SAMPLE_RATE

FRAME = SAMPLE_RATE // 100
PAUSE_FRAMES = 30
SILENCE = 1e-3
MAX_HOURS = 12
"""Of one file: 3 GB of samples."""
BLOCK = 1 << 22
"""Samples that are read at once, over all channels."""


def read_audio(path: Path) -> np.ndarray:
    """A file of any format, rate and channel count that libsndfile knows, as (samples,) float32, 16 kHz, mono.

    Raises:
        DataError: there is no such file, no sound in it, or it cannot be decoded into numbers; or its header claims
            what nobody can have recorded, or more than `MAX_HOURS`.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")
    if not path.is_file():
        raise DataError(f"{path}: it is no regular file. Write what it holds into one, and name that one.")
    try:
        with soundfile.SoundFile(path) as sound:
            _require_speech(sound, path)
            parts = list(_resampled(sound, path))
    except (OSError, soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(f"{path}: it cannot be decoded as wav, mp3, flac or ogg ({error}).") from None
    samples = np.concatenate(parts)
    if not len(samples):
        raise DataError(f"{path}: there is no sound in it.")
    return samples


def seconds_of(path: Path) -> float:
    """Length of a file as its header says it, for a progress bar; 0 where there is none."""
    if not path.is_file():
        return 0.0
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError, RuntimeError):
        return 0.0


def _require_speech(sound: soundfile.SoundFile, path: Path) -> None:
    """Compare a header with what speech can have, before anything is read."""
    least, most = RATES
    if not least <= sound.samplerate <= most:
        raise DataError(
            f"{path}: its header says {sound.samplerate:,} Hz, where speech has {least:,} to {most:,}. Save it again "
            "with the rate that it was recorded with."
        )
    if (hours := sound.frames / sound.samplerate / 3600) > MAX_HOURS:
        raise DataError(
            f"{path}: its header says {hours:,.0f} hours; more than {MAX_HOURS} are not read at once. Cut it into "
            "parts."
        )


def _resampled(sound: soundfile.SoundFile, path: Path) -> Iterator[np.ndarray]:
    """The signal in pieces, so that only one of them is held in the rate and with the channels of the file."""
    resampler = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, 1, dtype="float32")
    while len(channels := sound.read(BLOCK // sound.channels, dtype="float32", always_2d=True)):
        if not np.isfinite(channels).all():
            raise DataError(f"{path}: some of its samples are infinite or not a number.")
        yield resampler.resample_chunk(channels.mean(axis=1))
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def cut_at_pauses(samples: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Where to cut a signal, (samples,) at 16 kHz, so that no segment is longer than `longest` seconds.

    Each cut lies in the quietest 0.3 s of the second half of what a segment may hold.

    Returns:
        start and end of each segment, in samples; segments without any sound (below -60 dB) are left out.
    """
    most = int(longest * SAMPLE_RATE)
    cuts = [0]
    while len(samples) - cuts[-1] > most:
        half = cuts[-1] + most // 2
        cuts.append(half + _quietest(samples[half : cuts[-1] + most]))
    spans = zip(cuts, [*cuts[1:], len(samples)], strict=True)
    return [(start, end) for start, end in spans if np.abs(samples[start:end]).max(initial=0) >= SILENCE]


def _quietest(samples: np.ndarray) -> int:
    """The middle of the quietest 0.3 s; of equals the last, for longer segments."""
    frames = len(samples) // FRAME
    energy = (samples[: frames * FRAME].reshape(frames, FRAME) ** 2).mean(axis=1)
    width = min(PAUSE_FRAMES, frames)
    mean = np.convolve(energy, np.full(width, 1 / width), mode="valid")
    last = len(mean) - 1 - int(np.argmin(mean[::-1]))
    return (last + width // 2) * FRAME
