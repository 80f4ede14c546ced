"""Audio files of users: read them, and cut long ones at their pauses."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from llast.errors import DataError
from llast.model.features import SAMPLE_RATE

FRAME = SAMPLE_RATE // 100
PAUSE_FRAMES = 30
SILENCE = 1e-3


def read_audio(path: Path) -> np.ndarray:
    """A file of any format, rate and channel count that libsndfile knows, as (samples,) float32, 16 kHz, mono.

    Raises:
        DataError: there is no such file, no sound in it, or it cannot be decoded into numbers.
    """
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError, RuntimeError) as error:
        reason = (
            "there is no such file"
            if not path.exists()
            else f"it cannot be decoded as wav, mp3, flac or ogg ({error})"
        )
        raise DataError(f"{path}: {reason}.") from None
    if not len(channels):
        raise DataError(f"{path}: there is no sound in it.")
    if not np.isfinite(channels).all():
        raise DataError(f"{path}: some of its samples are infinite or not a number.")
    samples: np.ndarray = soxr.resample(channels.mean(axis=1), rate, SAMPLE_RATE)
    return samples


def seconds_of(path: Path) -> float:
    """Length of a file as its header says it, for a progress bar; 0 where there is none."""
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError, RuntimeError):
        return 0.0


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
