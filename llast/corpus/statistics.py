"""What every pair and split of a corpus holds, what it lost on the way, and what its splits share."""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llast.artifacts import read_summary, write_text
from llast.corpus.join import official_table
from llast.errors import DataError
from llast.languages import PAIRS, SPLITS

COLUMNS = (
    "pair",
    "split",
    "official",  # rows of CoVoST-2 as published; empty where the corpus is another one
    "not_validated",  # rows without a sentence in the Common Voice release
    "joined",
    "rows",  # of those joined, what the filter kept
    "hours",
    "mean_seconds",
    "source_characters",  # mean per row
    "target_characters",
    "speakers",
    "sentences",  # different ones
    *(
        f"{what}_in_{split}" for what in ("speakers", "sentences") for split in SPLITS
    ),  # those that occur there too
    "repaired",  # source sentences freed of CSV residue, those of dropped rows too
)
"""Columns of the table; behind them one for every reason: `dropped_{reason}`, and `no_audio_{reason}` for rows without
audio, which train loses and dev and test keep. What stands between `rows` and the reasons is about those rows."""


def statistics(corpus: list[Path], output: Path, official_counts: bool = False) -> None:
    """Write a CSV with a row for every pair and split; see `COLUMNS`.

    Two sentences are the same if they differ in case and outer spaces only.

    Args:
        corpus: summaries of the steps resample, join and filter, of every source language; others are passed over.
        output: CSV file to write.
        official_counts: fill in the column `official`.

    Raises:
        DataError: an input is missing or broken.
    """
    summaries = [(path, read_summary(path)) for path in corpus]
    quarantine = {
        entry["clip"]: entry["reason"]
        for _, summary in summaries
        if summary.step == "resample"
        for entry in summary.details["quarantine"]
    }
    lost: dict[str, dict[str, int]] = {}
    for _, summary in summaries:
        if summary.step == "join":
            lost |= summary.details["lost"]
    rows = []
    for path, summary in summaries:
        if summary.step == "filter":
            for pair, splits in summary.details["pairs"].items():
                if pair not in lost:
                    raise DataError(
                        f"{path} has the pair {pair}; no summary of join has it. Name that one too."
                    )
                rows += _pair(path.parent, pair, splits, lost[pair], quarantine, official_counts)
    rows.sort(key=lambda row: (PAIRS.index(row["pair"]), SPLITS.index(row["split"])))
    reasons = sorted({name for row in rows for name in row} - set(COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *reasons], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**dict.fromkeys(reasons, 0), **row})
    write_text(output, text.getvalue())


def _pair(
    folder: Path,
    pair: str,
    splits: dict[str, dict[str, Any]],
    lost: dict[str, int],
    quarantine: dict[str, str],
    official_counts: bool,
) -> list[dict[str, Any]]:
    tables = {split: pq.read_table(folder / f"{pair}.{split}.parquet") for split in SPLITS}
    named = {split: table.filter(pc.not_equal(table["client_id"], "")) for split, table in tables.items()}
    speakers = {split: pc.unique(table["client_id"]) for split, table in named.items()}
    sentences = {
        split: pc.unique(pc.utf8_lower(pc.utf8_trim_whitespace(table["sentence"])))
        for split, table in tables.items()
    }
    published = official_table()[pair] if official_counts else {}
    found = []
    for split, table in tables.items():
        seconds = pc.sum(table["seconds"]).as_py() or 0.0
        row: dict[str, Any] = {
            "pair": pair,
            "split": split,
            "official": published.get(split, ""),
            "not_validated": lost[split],
            "joined": splits[split]["rows_in"],
            "rows": len(table),
            "hours": round(seconds / 3600, 3),
            "mean_seconds": _mean(table["seconds"], 2),
            "source_characters": _mean(pc.utf8_length(table["sentence"]), 1),
            "target_characters": _mean(pc.utf8_length(table["translation"]), 1),
            "speakers": len(speakers[split]),
            "sentences": len(sentences[split]),
            "repaired": splits[split]["repaired"],
        }
        for other in SPLITS:
            if other != split:
                row[f"speakers_in_{other}"] = _shared(speakers[split], speakers[other])
                row[f"sentences_in_{other}"] = _shared(sentences[split], sentences[other])
        for reason, count in splits[split]["dropped"].items():
            name = reason.removeprefix("audio_")
            row[f"{'dropped' if name == reason else 'no_audio'}_{name}"] = count
        silent = table.filter(pc.is_null(table["seconds"]))["clip"].to_pylist()
        for reason, count in Counter(quarantine.get(clip, "missing") for clip in silent).items():
            row[f"no_audio_{reason}"] = row.get(f"no_audio_{reason}", 0) + count
        found.append(row)
    return found


def _mean(values: pa.ChunkedArray, digits: int) -> float | str:
    mean = pc.mean(values).as_py()
    return "" if mean is None else round(mean, digits)


def _shared(some: pa.Array, others: pa.Array) -> int:
    return pc.sum(pc.is_in(some, value_set=others)).as_py() or 0
