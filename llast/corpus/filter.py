"""Choose the train rows that are fit to learn from, and note which dev and test rows have audio."""

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llast.artifacts import Summary, atomic_path, read_summary
from llast.config.corpus import FilterOptions
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import clip_id
from llast.corpus.join import COLUMNS
from llast.corpus.repair import repair_sentence
from llast.corpus.store import AudioStore
from llast.corpus.tsv import Table, read_tsv_file
from llast.errors import DataError
from llast.languages import SPLITS

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

_REMOVE = re.compile(r"\bREMOVE\b")


@dataclass
class _Kept:
    """The rows of a pair and split that are kept, and what happened to the others."""

    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ROWS.names})
    dropped: list[tuple[str, str]] = field(default_factory=list)
    repaired: int = 0
    missing_audio: int = 0


def filter_rows(joined: Path, resampled: Path, output: Path, options: FilterOptions) -> Summary:
    """Write `{pair}.{split}.parquet` for the pairs out of a language, `dropped.parquet` and the summary.

    A train row is dropped for the first of these reasons that applies: `audio_{reason of the quarantine}`,
    `too_short`, `too_long`, `empty_source`, `empty_target`, `remove` (a translation marked REMOVE),
    `long_text`, `source_equals_target` (but for case and spaces). dev and test rows are never dropped; one
    without audio has null seconds.

    Rows: those of all pairs and splits. Details: `pairs[pair][split]` with `rows_in`, `rows_out`, `dropped`
    by reason, `repaired` source sentences, `missing_audio`, `seconds` of the rows written.

    Args:
        joined: summary of the step join.
        resampled: summary of the step resample.
        output: folder to write into.
        options: thresholds.

    Raises:
        DataError: an input is missing, or a larger share of a dev or test set than allowed has no audio.
    """
    began = time.monotonic()
    durations = AudioStore.open(resampled).durations()
    quarantine = {entry["clip"]: entry["reason"] for entry in read_summary(resampled).details["quarantine"]}
    pairs: dict[str, dict[str, Any]] = {}
    dropped: dict[str, list[str]] = {name: [] for name in DROPPED.names}
    for pair in read_summary(joined).details["counts"]:
        pairs[pair] = {}
        for split in SPLITS:
            table = read_tsv_file(joined.parent / f"covost_v2.{pair}.{split}.tsv", COLUMNS)
            kept = _filter(table, split, durations, quarantine, options)
            _write(output / f"{pair}.{split}.parquet", kept.rows, ROWS)
            for clip, reason in kept.dropped:
                for name, value in zip(DROPPED.names, (pair, split, clip, reason), strict=True):
                    dropped[name].append(value)
            pairs[pair][split] = {
                "rows_in": len(table),
                "rows_out": len(kept.rows["clip"]),
                "dropped": dict(sorted(Counter(reason for _, reason in kept.dropped).items())),
                "repaired": kept.repaired,
                "missing_audio": kept.missing_audio,
                "seconds": sum(seconds for seconds in kept.rows["seconds"] if seconds is not None),
            }
    _require_audio(pairs, options.max_missing)
    _write(output / "dropped.parquet", dropped, DROPPED)
    counts = [pairs[pair][split] for pair in pairs for split in SPLITS]
    summary = Summary(
        step="filter",
        version=STEP_VERSIONS["filter"],
        rows_in=sum(count["rows_in"] for count in counts),
        rows_out=sum(count["rows_out"] for count in counts),
        dropped=dict(sorted(Counter(dropped["reason"]).items())),
        seconds=time.monotonic() - began,
        details={"pairs": pairs},
    )
    summary.write(output / "summary.json")
    return summary


def _filter(
    table: Table, split: str, durations: dict[str, float], quarantine: dict[str, str], options: FilterOptions
) -> _Kept:
    kept = _Kept()
    append = [kept.rows[name].append for name in ROWS.names]
    for path, sentence, translation, speaker in zip(*(table[column] for column in COLUMNS), strict=True):
        clip = clip_id(path)
        seconds = durations.get(clip)
        source = repair_sentence(sentence) if options.repair_source else sentence
        if seconds is None:
            kept.missing_audio += 1
        if split == "train":
            reason = (
                f"audio_{quarantine.get(clip, 'missing')}"
                if seconds is None
                else _unfit(source, translation, seconds, options)
            )
            if reason:
                kept.dropped.append((clip, reason))
                continue
        kept.repaired += source != sentence
        for add, value in zip(append, (clip, source, translation, speaker, seconds), strict=True):
            add(value)
    return kept


def _unfit(source: str, target: str, seconds: float, options: FilterOptions) -> str | None:
    """The first reason not to train on a row, if there is one."""
    if seconds < options.min_seconds:
        return "too_short"
    if seconds > options.max_seconds:
        return "too_long"
    if not source.strip():
        return "empty_source"
    if not target.strip():
        return "empty_target"
    if _REMOVE.search(target):
        return "remove"
    if max(len(source), len(target)) > options.max_characters:
        return "long_text"
    if "".join(source.casefold().split()) == "".join(target.casefold().split()):
        return "source_equals_target"
    return None


def _require_audio(pairs: dict[str, dict[str, Any]], max_missing: float) -> None:
    short = [
        f"{pair} {split}: {counts['missing_audio']:,} of {counts['rows_in']:,}"
        for pair, splits in pairs.items()
        for split, counts in splits.items()
        if split != "train" and counts["missing_audio"] > max_missing * counts["rows_in"]
    ]
    if short:
        raise DataError(
            f"more than {max_missing:.1%} of the rows have no usable audio: {'; '.join(short)}. Scores on what "
            "is left would not be comparable. The summary.json of the step resample lists clips and reasons: "
            "complete the Common Voice archive, or raise filter.max_missing in the corpus's file."
        )


def _write(path: Path, columns: dict[str, list[Any]], schema: pa.Schema) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary)
