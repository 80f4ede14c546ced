"""What every pair and split of a corpus holds, what it lost on the way, and what its splits share."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from llast.artifacts import read_summary, write_text
from llast.artifacts.corpus import FilteredSplit, FilterSummary, JoinSummary, ResampleSummary
from llast.corpus.official import official_table
from llast.errors import DataError
from llast.languages import PAIRS, SPLITS, CorpusSplit
from llast.normalisation import normalised

COLUMNS = (
    "pair",
    "split",
    "official",  # rows of CoVoST-2 as published; empty where the corpus is another one
    "damaged",  # rows of the language's validated.tsv that were set aside, all without use to any split
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
    "repaired",  # texts freed of CSV quoting, those of dropped rows too
)
"""Columns of the table; behind them one for every reason: `dropped_{reason}`, and `no_audio_{reason}` for rows without
audio, which train loses and dev and test keep. What stands between `rows` and the reasons is about those rows."""


MEASURES = ("hours", "mean_seconds", "source_characters", "target_characters")
"""Columns that are no counts."""


def statistics(corpus: list[Path], output: Path, official_counts: bool = False) -> None:
    """Write a CSV with a row for every pair and split; see `COLUMNS`.

    Two sentences are the same if their normal forms are (`llast.normalisation`).

    Args:
        corpus: summaries of the steps resample, join and filter, of every source language; others are passed over.
        output: CSV file to write.
        official_counts: fill in the column `official`.

    Raises:
        DataError: an input is missing or broken.
    """
    summaries = {path: read_summary(path) for path in corpus}
    quarantine: dict[str, str] = {}
    lost: dict[str, dict[CorpusSplit, int]] = {}
    damaged: dict[str, int] = {}
    for summary in summaries.values():
        if isinstance(summary, ResampleSummary):
            quarantine |= summary.details.reasons
        if isinstance(summary, JoinSummary):
            lost |= summary.details.lost
            damaged |= dict.fromkeys(summary.details.lost, summary.details.damaged)
    parts = []
    for path, summary in summaries.items():
        if not isinstance(summary, FilterSummary):
            continue
        for pair, splits in summary.details.pairs.items():
            if pair not in lost:
                raise DataError(f"{path} has the pair {pair}; no summary of join has it. Name that one too.")
            part = _pair(path.parent, pair, splits, quarantine)
            part["damaged"] = damaged[pair]
            part["not_validated"] = pd.Series(lost[pair])
            if official_counts:
                part["official"] = pd.Series(official_table()[pair]).reindex(SPLITS).astype(int)
            parts.append(part)
    if not parts:
        raise DataError(
            "there is nothing to count: no summary of filter has a pair. Name those of the step filter."
        )
    table = pd.concat(parts, names=["split"]).reset_index(names="split")
    reasons = sorted(set(table.columns) - set(COLUMNS))
    table[reasons] = table[reasons].fillna(0)
    table = table.sort_values("pair", key=lambda pairs: pairs.map(PAIRS.index), kind="stable").reindex(
        columns=[*COLUMNS, *reasons]
    )
    counts = table.columns.difference(["pair", "split", *MEASURES])
    table = table.astype(dict.fromkeys(counts, "Int64"))
    write_text(output, table.to_csv(index=False, lineterminator="\n"))


def _pair(
    folder: Path, pair: str, splits: dict[CorpusSplit, FilteredSplit], quarantine: dict[str, str]
) -> pd.DataFrame:
    """The columns of a pair but for those of the step join, with a row for every split."""
    columns = ["clip", "sentence", "translation", "client_id", "seconds"]
    tables = {split: pq.read_table(folder / f"{pair}.{split}.parquet", columns=columns) for split in SPLITS}
    rows = pd.concat(
        {split: table.to_pandas(types_mapper=pd.ArrowDtype) for split, table in tables.items()},
        names=["split"],
    ).reset_index("split")
    rows["split"] = pd.Categorical(rows["split"], SPLITS)
    rows["source_characters"] = rows["sentence"].str.len()
    rows["target_characters"] = rows["translation"].str.len()
    by_split = rows.groupby("split", observed=False)
    part = by_split[["source_characters", "target_characters"]].mean().round(1)
    part["mean_seconds"] = by_split["seconds"].mean().round(2)
    part["hours"] = (by_split["seconds"].sum() / 3600).round(3)
    part["rows"] = by_split.size()
    part["pair"] = pair
    part["joined"] = pd.Series({split: counts.rows_in for split, counts in splits.items()})
    part["repaired"] = pd.Series({split: counts.repaired for split, counts in splits.items()})
    named = rows[rows["client_id"] != ""]
    for what, shared in (
        ("speakers", _shared(named["client_id"], named["split"])),
        ("sentences", _shared(pd.Series(map(normalised, rows["sentence"]), rows.index), rows["split"])),
    ):
        part[what] = np.diag(shared)
        for split in SPLITS:
            part[f"{what}_in_{split}"] = shared[split].drop(split)
    losses = [
        (split, f"no_{reason}" if reason.startswith("audio_") else f"dropped_{reason}", count)
        for split, counts in splits.items()
        for reason, count in counts.dropped.items()
    ]
    silent = rows.loc[rows["seconds"].isna(), ["split", "clip"]]
    losses += [
        (split, f"no_audio_{quarantine.get(clip, 'missing')}", 1)
        for split, clip in silent.itertuples(index=False)
    ]
    lost = pd.DataFrame(losses, columns=["split", "reason", "rows"])
    return part.join(lost.pivot_table(index="split", columns="reason", values="rows", aggfunc="sum"))


def _shared(values: pd.Series, splits: pd.Series) -> pd.DataFrame:
    """How many different values each split has in common with each other split; on the diagonal, its own number."""
    numbers, different = pd.factorize(values)
    occurs = np.zeros((len(different), len(SPLITS)), dtype=np.int64)
    occurs[numbers, splits.cat.codes] = 1
    return pd.DataFrame(occurs.T @ occurs, index=SPLITS, columns=SPLITS)
