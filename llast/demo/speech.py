"""Synthetic speech: espeak-ng, run in this process through the wheel `espeakng_loader`, and LAME through `lameenc`.

espeak-ng is under the GPL-3, so the wheels are an extra of their own (`llast[demo]`) and are imported here only.
"""

import _ctypes
import ctypes
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from llast.errors import ConfigError
from llast.languages import language

VOICES = {"en": "en-us", "zh-CN": "cmn", "sv-SE": "sv", "mn": "ru"}
"""espeak-ng voice of a language, where it is not the language's own code. There is none for Mongolian in 1.52; the
Russian voice reads its Cyrillic letters as a stand-in."""

VARIANTS = ("m1", "m3", "m7", "f1", "f2", "f4")
"""Speakers: three of a low and three of a high pitch."""

RATES = {"ja": (220, 240, 265), "zh-CN": (220, 240, 265)}
USUAL_RATES = (175, 190, 210)
"""espeak-ng's words a minute. It counts kana and hanzi as words of their own, so those need more."""

PITCHES = (42, 50, 58)
VOICES_PER_LANGUAGE = len(VARIANTS) * len(USUAL_RATES) * len(PITCHES)
CLIP_RATE = 48_000
KBITS_PER_S = 64
"""Of a channel, as in Common Voice 4."""

LAME_QUALITY = 7
"""LAME's quick way (0: best, 9: worst), in a quarter of the time that libsndfile's way takes."""

LAME_DELAY = 576
"""Samples by which LAME's stream is late, besides the 529 of every decoder."""

FRAME_SAMPLES = 1152

SYNCHRONOUS = 2
DONT_EXIT = 0x8000
UTF8 = 1
POSITION_BY_CHARACTER = 1
RATE, PITCH = 1, 3


@dataclass(frozen=True)
class Voice:
    """How a clip is spoken: a variant of espeak-ng's voice, words a minute and pitch (0 to 100)."""

    variant: str
    rate: int
    pitch: int


def voice_of(lang: str, number: int) -> Voice:
    """The voice of a language's clip by number: variants, rates and pitches in every combination, in turn."""
    rates = RATES.get(lang, USUAL_RATES)
    number, variant = divmod(number, len(VARIANTS))
    number, rate = divmod(number, len(rates))
    return Voice(VARIANTS[variant], rates[rate], PITCHES[number % len(PITCHES)])


def speak(text: str, lang: str, voice: Voice) -> tuple[npt.NDArray[np.float32], int]:
    """Speak a text in a language of CoVoST-2.

    The library keeps state between utterances (the phase of its flutter) that no call resets, so it is loaded afresh
    each time: the same input gives the same samples, whatever was spoken before. It takes 5 ms a sentence.

    Returns:
        Mono samples in [-1, 1], and the sampling rate in Hz.

    Raises:
        ConfigError: the wheel is not installed, or the language or the variant is unknown.
    """
    name = f"{VOICES.get(language(lang).code, lang)}+{voice.variant}"
    if voice.variant not in VARIANTS:  # espeak-ng would take its default voice without a word
        raise ConfigError(f"unknown voice variant '{voice.variant}'. Known: {' '.join(VARIANTS)}.")
    library_path, data_path = _paths()
    library = ctypes.CDLL(library_path)
    try:
        sampling_rate: int = library.espeak_Initialize(
            SYNCHRONOUS, 0, ctypes.c_char_p(data_path.encode()), DONT_EXIT
        )
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else the time of day
        chunks: list[bytes] = []

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        def collect(samples: int | None, count: int, _events: Any) -> int:
            if samples and count > 0:
                chunks.append(ctypes.string_at(samples, 2 * count))
            return 0

        library.espeak_SetSynthCallback(collect)
        if library.espeak_SetVoiceByName(ctypes.c_char_p(name.encode())) != 0:
            raise ConfigError(
                f"espeak-ng has no voice '{name}'. Install the version that constraints.txt names."
            )
        library.espeak_SetParameter(RATE, voice.rate, 0)
        library.espeak_SetParameter(PITCH, voice.pitch, 0)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(
            ctypes.c_char_p(encoded),
            ctypes.c_size_t(len(encoded)),
            0,
            POSITION_BY_CHARACTER,
            0,
            UTF8,
            None,
            None,
        )
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
    pcm = np.frombuffer(b"".join(chunks), np.int16)
    return pcm.astype(np.float32) / np.float32(32768), sampling_rate


def encode_mp3(samples: npt.NDArray[np.float32], sampling_rate: int, stereo_44k: bool = False) -> bytes:
    """A clip as Common Voice keeps it: mono mp3 at 48 kHz; or, as a few of its clips are, stereo at 44.1 kHz."""
    try:
        import lameenc
    except ModuleNotFoundError:
        raise _missing("lameenc") from None
    rate, channels = (44_100, 2) if stereo_44k else (CLIP_RATE, 1)
    signal = soxr.resample(samples, sampling_rate, rate, quality="MQ")
    pcm = np.repeat((np.clip(signal, -1, 1) * 32767).astype("<i2"), channels)
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(rate)
    encoder.set_out_sample_rate(rate)
    encoder.set_channels(channels)
    encoder.set_bit_rate(KBITS_PER_S * channels)
    encoder.set_quality(LAME_QUALITY)
    encoder.silence()
    stream = bytes(encoder.encode(pcm.tobytes()) + encoder.flush())
    return _info_frame(stream, len(signal), rate, channels) + stream


def _info_frame(stream: bytes, samples: int, rate: int, channels: int) -> bytes:
    """The frame by which decoders know what of an mp3 was not in the signal (LAME's Info tag); lameenc writes none.

    LAME pads by 576 to 1727 samples, of which the tag's 12 bits can tell.
    """
    frame_bytes = FRAME_SAMPLES // 8 * KBITS_PER_S * channels * 1000 / rate
    frames = round(len(stream) / frame_bytes)
    padding = frames * FRAME_SAMPLES - LAME_DELAY - samples
    frame = bytearray(int(frame_bytes))
    frame[:4] = stream[:4]
    frame[2] &= 0xFD  # a frame of the shorter length
    info = 4 + (17 if channels == 1 else 32)
    frame[info : info + 12] = struct.pack(">4sII", b"Info", 1, frames)  # 1: the number of frames, and no more
    frame[info + 12 : info + 21] = b"LAME3.100"
    # Between them, nothing: revision, lowpass, peak and gains, flags, bit rate.
    frame[info + 33 : info + 36] = (LAME_DELAY << 12 | padding).to_bytes(3, "big")
    return bytes(frame)


@cache
def _paths() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ModuleNotFoundError:
        raise _missing("espeakng_loader") from None
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def _missing(name: str) -> ConfigError:
    return ConfigError(f"the demo's speech needs {name}, which is not installed: pip install 'llast[demo]'.")
