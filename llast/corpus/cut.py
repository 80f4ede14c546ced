"""Whether a sound file ends before its own headers say: libsndfile decodes what is left of it without complaint."""

import math
import re
import struct

_MP3_KBIT = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by their index in a frame's header, of MPEG 1 and of MPEG 2 and 2.5 (ISO 11172-3, 13818-3)."""
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Sampling rates by the two bits of the version, then by their index."""


def is_cut(data: bytes) -> bool:
    """Whether the end of a file is missing, as far as its headers tell.

    A wav (or RF64, W64), aiff, au or NIST SPHERE file says how long it is. The frames of an mp3 file and the pages of
    an ogg file say it each of their own, so that a cut within one is known; a cut between two is not.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _ends_before(data, 8, struct.unpack("<I", data[4:8])[0])
    if data[:4] == b"RF64" and data[12:16] == b"ds64" and len(data) >= 28:
        return _ends_before(data, 8, struct.unpack("<Q", data[20:28])[0])
    if data[:4] == b"riff" and data[24:28] == b"wave":
        return _ends_before(data, 0, struct.unpack("<Q", data[16:24])[0])
    if data[:8] == b"NIST_1A\n":
        return _is_cut_sphere(data)
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return _ends_before(data, 8, struct.unpack(">I", data[4:8])[0])
    if data[:4] == b".snd" and len(data) >= 12:
        return _ends_before(data, *struct.unpack(">II", data[4:12]))
    if data[:4] == b"OggS":
        return _is_cut_ogg(data)
    return _is_cut_mp3(data)


def has_frame_count(data: bytes) -> bool:
    """Whether an mp3 file states its number of frames; else libsndfile guesses it from the file's size."""
    start = _after_id3(data)
    first_frame = data[start : start + 64]
    return b"Xing" in first_frame or b"Info" in first_frame


def _ends_before(data: bytes, start: int, promised: int) -> bool:
    # Streaming writers leave a size near 4 GiB, or 0: that promises nothing.
    return promised < 0xF0000000 and len(data) < start + promised


def _is_cut_sphere(data: bytes) -> bool:
    """A header in text says its own length, how many samples follow and how long each is."""
    header = data[:1024].decode("latin-1")
    numbers = {name: int(value) for name, value in re.findall(r"^(\w+) -i (\d+)$", header, re.MULTILINE)}
    try:
        begin = int(header[8:16])
        sizes = (numbers["sample_count"], numbers["channel_count"], numbers["sample_n_bytes"])
    except (ValueError, KeyError):
        return False
    return "shorten" not in header and _ends_before(data, begin, math.prod(sizes))


def _is_cut_ogg(data: bytes) -> bool:
    """Walk the pages: a header of 27 bytes, the lengths of its segments, and these."""
    page = 0
    while data[page : page + 4] == b"OggS":
        if page + 27 > len(data):
            return True
        lengths = data[page + 27 : page + 27 + data[page + 26]]
        page += 27 + data[page + 26] + sum(lengths)
        if page > len(data):
            return True
    return b"OggS".startswith(data[page:]) and page < len(data)


def _is_cut_mp3(data: bytes) -> bool:
    """Walk the frames of layer III: four bytes with bit rate, sampling rate and padding give a frame's length."""
    place = start = _after_id3(data)
    first = data[start : start + 2]
    if len(first) < 2 or first[0] != 0xFF or first[1] & 0xE6 != 0xE2:
        return False
    while len(header := data[place : place + 4]) == 4:
        if header[0] != 0xFF or (header[1] ^ first[1]) & 0xFE:
            return False  # a tag behind the last frame, or no frames at all
        length = _mp3_frame_bytes(header)
        if not length:
            return False
        place += length
        if place > len(data):
            return True
    return bool(header) and header[0] == 0xFF


def _mp3_frame_bytes(header: bytes) -> int:
    """Length of a frame of layer III with its header; 0 where that does not say it."""
    version, rate = header[1] >> 3 & 3, header[2] >> 2 & 3
    bits = header[2] >> 4
    if version not in _MP3_RATES or rate == 3 or not 0 < bits < 15:
        return 0
    samples = 144 if version == 3 else 72
    return samples * 1000 * _MP3_KBIT[version == 3][bits] // _MP3_RATES[version][rate] + (header[2] >> 1 & 1)


def _after_id3(data: bytes) -> int:
    """Where an ID3 tag at the beginning ends; its length has seven bits a byte."""
    if data[:3] != b"ID3" or len(data) <= 10:
        return 0
    return 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
