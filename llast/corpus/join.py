"""Join CoVoST-2 tables with Common Voice's sentences: the official split files of every pair."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from llast.artifacts.corpus import FetchSummary, JoinDetails, JoinSummary, RowDifference
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import clip_id
from llast.corpus.official import official_table
from llast.corpus.tables import read_fetched
from llast.corpus.tsv import Table, read_tsv_file, write_tsv
from llast.languages import SPLITS, CorpusSplit

COLUMNS = ("path", "sentence", "translation", "client_id")


def join(fetched: Path, output: Path, official_counts: bool = False) -> JoinSummary:
    """Write `covost_v2.{pair}.{split}.tsv` for every pair out of a source language, and the summary.

    The algorithm is that of `get_covost_splits.py` (facebookresearch/covost), written anew: inner join on
    `path` in the order of `validated.tsv`, then a split by label. Paths are the same where their clip ids are.

    Args:
        fetched: summary of the step fetch.
        output: folder to write into.
        official_counts: compare the rows with the published ones.

    Raises:
        DataError: a table is missing, broken, or not the one that was fetched.
    """
    began = time.monotonic()
    files = FetchSummary.read(fetched).details
    validated = read_tsv_file(fetched.parent / files.validated, ("path", "sentence", "client_id"))
    dropped: Counter[str] = Counter()
    counts: dict[str, dict[str, int]] = {}
    labels: dict[str, dict[str, int]] = {}
    lost: dict[str, dict[str, int]] = {}
    short_rows = {"validated": validated.short_rows}
    rows = 0
    for pair, file in files.tables.items():
        table = read_fetched(file)
        splits, ignored, unmatched = join_tables(validated, table, files.splits)
        counts[pair] = {split: len(splits[split]["path"]) for split in SPLITS}
        labels[pair] = dict(sorted(ignored.items()))
        lost[pair] = {split: unmatched[split] for split in SPLITS}
        short_rows[pair] = table.short_rows
        dropped["label"] += ignored.total()
        dropped["not_validated"] += unmatched.total()
        rows += sum(counts[pair].values())
        for split in SPLITS:
            write_tsv(output / f"covost_v2.{pair}.{split}.tsv", splits[split])
    official = _differences(counts) if official_counts else {}
    summary = JoinSummary(
        version=STEP_VERSIONS["join"],
        rows_in=rows + dropped.total(),
        rows_out=rows,
        dropped={reason: count for reason, count in dropped.items() if count},
        seconds=time.monotonic() - began,
        details=JoinDetails(
            counts=counts,
            labels=labels,
            lost=lost,
            official=official,
            short_rows={name: count for name, count in short_rows.items() if count},
            damaged=files.damaged,
        ),
    )
    summary.write(output / "summary.json")
    return summary


def join_tables(
    validated: Table, table: Table, splits: Mapping[str, CorpusSplit]
) -> tuple[dict[CorpusSplit, dict[str, list[str]]], Counter[str], Counter[str]]:
    """The inner join of `get_covost_splits.py`, by clip id and in the order of `validated`.

    Args:
        validated: sentences, a clip of a split once (`tables.require_distinct`).
        table: translations, likewise.
        splits: split of each label that counts.

    Returns:
        the columns of each split; rows by label that is no split; rows without a sentence, by split (or such a label).
    """
    clips, labels = [clip_id(path) for path in table["path"]], table["split"]
    named = set(clips)
    rows = {clip: row for row, clip in enumerate(clips) if labels[row] in splits}
    joined: dict[CorpusSplit, dict[str, list[str]]] = {
        split: {column: [] for column in COLUMNS} for split in SPLITS
    }
    for path, sentence, speaker in zip(
        validated["path"], validated["sentence"], validated["client_id"], strict=True
    ):
        clip = clip_id(path)
        named.discard(clip)
        row = rows.pop(clip, None)
        if row is not None:
            columns = joined[splits[labels[row]]]
            columns["path"].append(path)
            columns["sentence"].append(sentence)
            columns["translation"].append(table["translation"][row])
            columns["client_id"].append(speaker)
    ignored: Counter[str] = Counter()
    unmatched: Counter[str] = Counter()
    for clip, label in zip(clips, labels, strict=True):
        if clip in named:
            unmatched[splits.get(label, label)] += 1
        elif label not in splits:
            ignored[label] += 1
    return joined, ignored, unmatched


def _differences(counts: dict[str, dict[str, int]]) -> dict[str, dict[CorpusSplit, RowDifference]]:
    published = official_table()
    differences: dict[str, dict[CorpusSplit, RowDifference]] = {}
    for pair, found in counts.items():
        for split in SPLITS:
            expected = int(published[pair][split])
            if found[split] != expected:
                differences.setdefault(pair, {})[split] = RowDifference(expected=expected, found=found[split])
                print(
                    f"join: {pair} {split} has {found[split]:,} rows, CoVoST-2 {expected:,}: another release "
                    "of Common Voice, or an incomplete one. Scores will not be strictly comparable.",
                    file=sys.stderr,
                )
    return differences
