"""Choose the train rows that are fit to learn from, and note which dev and test rows have audio."""

import re
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llast.artifacts import atomic_path
from llast.artifacts.corpus import (
    FilterDetails,
    FilteredSplit,
    FilterSummary,
    JoinSummary,
    ResampleSummary,
)
from llast.config.corpus import FilterOptions
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import clip_id
from llast.corpus.join import COLUMNS
from llast.corpus.repair import repair_text, written_as_csv
from llast.corpus.store import AudioStore
from llast.corpus.tsv import Table, read_tsv_file, write_tsv
from llast.errors import DataError
from llast.languages import SPLITS, CorpusSplit
from llast.normalisation import normalised

ROWS = pa.schema(
    [
        ("clip", pa.string()),
        ("sentence", pa.string()),
        ("translation", pa.string()),
        ("client_id", pa.string()),
        ("seconds", pa.float64()),
    ]
)
DROPPED = pa.schema(
    [("pair", pa.string()), ("split", pa.string()), ("clip", pa.string()), ("reason", pa.string())]
)

REPAIRED = ("pair", "split", "clip", "before", "after")
"""Columns of `repaired.tsv`."""

_SMOOTHING = 10
"""Characters added to both sides of a length ratio: `No.` for `Aber nein.` is no wrong translation."""
_REMOVE = re.compile(r"\bREMOVE\b")


@dataclass(frozen=True)
class _Kept:
    """The rows of a pair and split that are kept, and what happened to the others."""

    rows: dict[str, list[Any]]
    dropped: list[tuple[str, str]]
    repaired: list[tuple[str, str, str]]
    missing_audio: int


def filter_rows(joined: Path, resampled: Path, output: Path, options: FilterOptions) -> FilterSummary:
    """Write `{pair}.{split}.parquet` for the pairs out of a language, `dropped.parquet`, `repaired.tsv`, the summary.

    A train row is dropped for the first of these reasons that applies: `audio_{reason of the quarantine}`,
    `too_short`, `too_long`, `empty_source`, `empty_target`, `remove` (a translation marked REMOVE),
    `long_text`, `source_equals_target` (but for case and spaces), `spoken_too_fast`, `spoken_too_slow`,
    `length_ratio`. The last three are measured against the medians of the rows that pass all others. dev and test rows
    are never dropped; one without audio has null seconds. `repaired.tsv` lists every text whose quoting was undone, of
    dropped rows too: source sentences, and the translations of a pair whose table was written as CSV.

    Args:
        joined: summary of the step join.
        resampled: summary of the step resample.
        output: folder to write into.
        options: thresholds.

    Raises:
        DataError: an input is missing, or a larger share of a dev or test set than allowed has no sentence or no audio.
    """
    began = time.monotonic()
    durations = AudioStore.open(resampled).durations()
    quarantine = ResampleSummary.read(resampled).details.reasons
    found = JoinSummary.read(joined).details
    pairs: dict[str, dict[CorpusSplit, FilteredSplit]] = {}
    dropped: dict[str, list[str]] = {name: [] for name in DROPPED.names}
    repaired: dict[str, list[str]] = {name: [] for name in REPAIRED}
    for pair in found.counts:
        pairs[pair] = {}
        tables = {
            split: read_tsv_file(joined.parent / f"covost_v2.{pair}.{split}.tsv", COLUMNS) for split in SPLITS
        }
        as_csv = written_as_csv(text for table in tables.values() for text in table["translation"])
        for split, table in tables.items():
            kept = _filter(table, split, as_csv, durations, quarantine, options)
            _write(output / f"{pair}.{split}.parquet", kept.rows, ROWS)
            for clip, reason in kept.dropped:
                for name, value in zip(DROPPED.names, (pair, split, clip, reason), strict=True):
                    dropped[name].append(value)
            for change in kept.repaired:
                for name, value in zip(REPAIRED, (pair, split, *change), strict=True):
                    repaired[name].append(value)
            pairs[pair][split] = FilteredSplit(
                rows_in=len(table),
                rows_out=len(kept.rows["clip"]),
                dropped=dict(sorted(Counter(reason for _, reason in kept.dropped).items())),
                repaired=len(kept.repaired),
                missing_audio=kept.missing_audio,
                seconds=sum(seconds for seconds in kept.rows["seconds"] if seconds is not None),
            )
    _require_audio(pairs, found.lost, options.max_missing)
    _write(output / "dropped.parquet", dropped, DROPPED)
    write_tsv(output / "repaired.tsv", repaired)
    splits = [split for by_split in pairs.values() for split in by_split.values()]
    summary = FilterSummary(
        version=STEP_VERSIONS["filter"],
        rows_in=sum(split.rows_in for split in splits),
        rows_out=sum(split.rows_out for split in splits),
        dropped=dict(sorted(Counter(dropped["reason"]).items())),
        seconds=time.monotonic() - began,
        details=FilterDetails(pairs=pairs),
    )
    summary.write(output / "summary.json")
    return summary


def _filter(
    table: Table,
    split: str,
    as_csv: bool,
    durations: dict[str, float],
    quarantine: dict[str, str],
    options: FilterOptions,
) -> _Kept:
    clips = [clip_id(path) for path in table["path"]]
    sources, targets = table["sentence"], table["translation"]
    if options.repair_source:
        sources = list(map(repair_text, sources))
        targets = list(map(repair_text, targets)) if as_csv else targets
    seconds = [durations.get(clip) for clip in clips]
    reasons: list[str | None] = [None] * len(clips)
    if split == "train":
        reasons = [
            f"audio_{quarantine.get(clip, 'missing')}"
            if length is None
            else _unfit(source, target, length, options)
            for clip, length, source, target in zip(clips, seconds, sources, targets, strict=True)
        ]
        if options.drop_unfit:
            _mark_unusual(reasons, sources, targets, seconds, options)
    kept = [reason is None for reason in reasons]
    columns: tuple[list[Any], ...] = (clips, sources, targets, table["client_id"], seconds)
    return _Kept(
        rows={name: list(compress(column, kept)) for name, column in zip(ROWS.names, columns, strict=True)},
        dropped=[(clip, reason) for clip, reason in zip(clips, reasons, strict=True) if reason],
        repaired=[
            (clip, before, after)
            for column, texts in (("sentence", sources), ("translation", targets))
            for clip, before, after in zip(clips, table[column], texts, strict=True)
            if before != after
        ],
        missing_audio=seconds.count(None),
    )


def _unfit(source: str, target: str, seconds: float, options: FilterOptions) -> str | None:
    """The first reason not to train on a row that has audio, if there is one."""
    if not options.drop_unfit:
        return None
    if seconds < options.min_seconds:
        return "too_short"
    if seconds > options.max_seconds:
        return "too_long"
    if not source.strip():
        return "empty_source"
    if not target.strip():
        return "empty_target"
    if "REMOVE" in target and _REMOVE.search(target):
        return "remove"
    if max(len(source), len(target)) > options.max_characters:
        return "long_text"
    if _first(source) == _first(target) and _letters(source) == _letters(target):
        return "source_equals_target"
    return None


def _first(text: str) -> str:
    """What `_letters` begins with, but for accents and signs, much sooner."""
    letter = next(filter(str.isalnum, text), "")
    return unicodedata.normalize("NFKD", letter)[:1].casefold()[:1]


def _letters(text: str) -> str:
    """The normal form without spaces."""
    return normalised(text).replace(" ", "")


def _mark_unusual(
    reasons: list[str | None],
    sources: list[str],
    targets: list[str],
    seconds: list[float | None],
    options: FilterOptions,
) -> None:
    """Give rows that passed so far a reason where they are far from the median of all that passed."""
    rows = np.flatnonzero([reason is None for reason in reasons])
    if not len(rows):
        return
    spoken, written = (np.fromiter(map(len, texts), float, len(texts))[rows] for texts in (sources, targets))
    rate = spoken / np.array(seconds, dtype=float)[rows]
    ratio = (written + _SMOOTHING) / (spoken + _SMOOTHING)
    rate /= np.median(rate)
    ratio /= np.median(ratio)
    fast, slow, uneven = options.max_speech_rate, options.min_speech_rate, options.max_length_ratio
    nowhere = np.zeros(len(rows), dtype=bool)
    unusual = {
        "spoken_too_fast": nowhere if fast is None else rate > fast,
        "spoken_too_slow": nowhere if slow is None else rate < slow,
        "length_ratio": nowhere if uneven is None else np.maximum(ratio, 1 / ratio) > uneven,
    }
    for reason, found in reversed(unusual.items()):  # the first of several counts
        for row in rows[found]:
            reasons[row] = reason


def _require_audio(
    pairs: dict[str, dict[CorpusSplit, FilteredSplit]],
    lost: dict[str, dict[CorpusSplit, int]],
    max_missing: float,
) -> None:
    short = []
    for pair, splits in pairs.items():
        for split in ("dev", "test"):
            missing = splits[split].missing_audio + lost[pair][split]
            rows = splits[split].rows_in + lost[pair][split]
            if missing > max_missing * rows:
                short.append(f"{pair} {split}: {missing:,} of {rows:,}")
    if short:
        raise DataError(
            f"more than {max_missing:.1%} of the rows have no sentence or no usable audio: {'; '.join(short)}. "
            "Scores on what is left would not be comparable. The summary.json of the step join counts the first, that "
            "of the step resample lists clips and reasons of the second: complete the Common Voice archive and have it "
            "read again (snakemake --forcerun fetch), or raise filter.max_missing in the corpus's file."
        )


def _write(path: Path, columns: dict[str, list[Any]], schema: pa.Schema) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary)
