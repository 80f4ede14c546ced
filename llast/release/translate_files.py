"""Translate a user's audio files with a trained model."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tqdm import tqdm

from llast.config.experiment import DecodingOptions
from llast.config.validation import validate
from llast.errors import ConfigError, DataError
from llast.languages import language
from llast.model.decoding import Request, decode
from llast.model.features import SAMPLE_RATE, WINDOW_FRAMES
from llast.progress import LOG_EVERY_S
from llast.release.segmentation import cut_at_pauses, read_audio, seconds_of
from llast.release.trained import load

GROUP = 32
"""Segments that are held at once."""


@dataclass
class Translation:
    """What became of one file.

    Attributes:
        file: as it was named.
        seconds: its length.
        segments: start and end in seconds and text of each segment.
        text: all of it.
    """

    file: str
    seconds: float
    segments: list[tuple[float, float, str]] = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True)
class _Segment:
    of: Translation
    samples: np.ndarray
    start: int
    last: bool


def translate_files(
    files: Sequence[Path],
    model: Path,
    source: str,
    target: str,
    checkpoint: int | None = None,
    beams: int = 5,
    segment_seconds: float = 30.0,
    threads: int = 1,
) -> Iterator[Translation]:
    """Translate audio files, in their order; a file that cannot be read does not stop the others.

    Args:
        files: wav, mp3, flac, ogg; of up to `MAX_HOURS`: long ones are cut at pauses.
        model: a run, a checkpoint or an exported folder.
        source: code of the spoken language.
        target: code of the language to write; the same as `source`: a transcript.
        checkpoint: number of a run's checkpoint; None: the best on dev.
        beams: 1: greedy.
        segment_seconds: length of the longest segment, 1 to 30.
        threads: CPU threads.

    Raises:
        ConfigError: an unknown language, or segments longer than 30 s.
        DataError: no such model; or, after all others are done, files that cannot be read.
    """
    spaced = language(target).spaced
    language(source)
    if not 1 <= segment_seconds <= WINDOW_FRAMES / 100:
        raise ConfigError(f"segments have to be 1 to {WINDOW_FRAMES // 100} s long, not {segment_seconds}.")
    options = validate(DecodingOptions, {"num_beams": beams}, "--beams")
    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    loaded, processor = load(model, checkpoint)
    request = Request("asr" if source == target else "st", source, target)
    broken: list[str] = []
    terminal = sys.stderr.isatty()
    interval = 0.2 if terminal else LOG_EVERY_S
    with tqdm(
        desc="translate", total=int(sum(map(seconds_of, files))), unit="s", file=sys.stderr,
        dynamic_ncols=terminal, ascii=not terminal, mininterval=interval, maxinterval=max(1.0, interval),
    ) as bar:  # fmt: skip
        segments, done = _segments(files, segment_seconds, broken), 0.0
        while group := list(islice(segments, GROUP)):
            samples = [segment.samples for segment in group]
            texts = decode(loaded, processor, samples, [[request]] * len(group), options)
            for segment, (text,) in zip(group, texts, strict=True):
                span = (segment.start / SAMPLE_RATE, (segment.start + len(segment.samples)) / SAMPLE_RATE)
                segment.of.segments.append((*span, text))
                done += span[1] - span[0]
                bar.update(int(done) - bar.n)
                if segment.last:
                    segment.of.text = (" " if spaced else "").join(text for *_, text in segment.of.segments)
                    with bar.external_write_mode(file=sys.stdout) if terminal else nullcontext():
                        yield segment.of
    if broken:
        raise DataError("\n  ".join([f"{len(broken)} of {len(files)} files could not be read:", *broken]))


def _segments(files: Sequence[Path], longest: float, broken: list[str]) -> Iterator[_Segment]:
    """Segments of all files; notes in `broken` why one cannot be read."""
    for path in files:
        try:
            samples = read_audio(path)
        except DataError as error:
            broken.append(str(error))
            continue
        whole = Translation(str(path), round(len(samples) / SAMPLE_RATE, 3))
        spans = cut_at_pauses(samples, longest)
        if not spans:
            broken.append(f"{path}: it is silent.")
        for number, (start, end) in enumerate(spans, start=1):
            yield _Segment(whole, samples[start:end], start, last=number == len(spans))


def as_record(translation: Translation, source: str, target: str) -> dict[str, Any]:
    """A line of jsonl."""
    return {
        "file": translation.file,
        "source": source,
        "target": target,
        "seconds": translation.seconds,
        "text": translation.text,
        "segments": [
            {"start": round(start, 2), "end": round(end, 2), "text": text}
            for start, end, text in translation.segments
        ],
    }
