"""Clips of the report's samples, as MP3 inside the page."""

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import soundfile

from llast.artifacts import Summary
from llast.artifacts.corpus import ResampleSummary
from llast.corpus.decode import SAMPLE_RATE
from llast.corpus.store import AudioStore
from llast.languages import split_pair

MOST_CLIPS = 160
"""So that the page stays below about 5 MB: a clip takes 20 to 30 kB."""


def clips_of(wanted: Iterable[tuple[str, str]], corpus: Mapping[Path, Summary]) -> dict[tuple[str, str], str]:
    """`data:` addresses of clips, by source language and clip; those without audio here are left out.

    Args:
        wanted: pair and clip, the most important first.
        corpus: summaries of the corpus steps; those of `resample` say where the audio is.
    """
    stores = {
        path.parent.name: path
        for path, summary in corpus.items()
        if isinstance(summary, ResampleSummary) and (path.parent / summary.details.store).is_dir()
    }
    opened: dict[str, AudioStore] = {}
    found: dict[tuple[str, str], str] = {}
    for pair, clip in wanted:
        source = split_pair(pair)[0]
        if source not in stores or (source, clip) in found or len(found) == MOST_CLIPS:
            continue
        store = opened[source] = opened.get(source) or AudioStore.open(stores[source])
        if clip not in store:
            continue
        encoded = io.BytesIO()
        soundfile.write(encoded, store.samples(clip), SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
        found[source, clip] = "data:audio/mpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
    return found
