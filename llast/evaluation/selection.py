"""Which dev and test rows of a source language are decoded: translations of every pair, transcripts of some clips."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from llast.artifacts.summaries import Split
from llast.config.steps import DecodeOptions
from llast.languages import split_pair
from llast.model.decoding import Request


@dataclass(frozen=True)
class EvaluationRow:
    """A dev or test row to decode. `clip` is the clip id, `seconds` its length, `reference` what should come out."""

    request: Request
    clip: str
    sentence: str
    reference: str
    seconds: float

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others: clip, task and the language to write."""
        return self.clip, self.request.task, self.request.target


@dataclass(frozen=True)
class Selection:
    """The rows of one file of hypotheses.

    Attributes:
        name: the pair, or the language where it is transcribed.
        split: `dev` or `test`.
        rows: those with audio.
        selected: rows that were chosen, with audio or without.
        available: rows that there are.
    """

    name: str
    task: str
    split: Split
    rows: list[EvaluationRow]
    selected: int
    available: int

    @property
    def file(self) -> str:
        """`fr_en.test.jsonl`, or `fr.asr.test.jsonl`."""
        return ".".join([self.name, *(["asr"] if self.task == "asr" else []), self.split, "jsonl"])


def select_rows(filtered: Path, source: str, pairs: list[str], options: DecodeOptions) -> list[Selection]:
    """The rows of each pair and split, then those to transcribe, which are drawn from the clips of all pairs."""
    tables = {  # pq.read_table would import pandas, a twentieth of a short job
        (pair, split): pq.ParquetFile(filtered.parent / f"{pair}.{split}.parquet").read().to_pylist()
        for pair in pairs
        for split in options.splits
    }
    limits = {"dev": options.dev_rows, "test": options.test_rows}
    selections = [
        _select(pair, split, Request("st", *split_pair(pair)), "translation", table, limits[split])
        for (pair, split), table in tables.items()
    ]
    for split in options.splits if options.asr_rows != 0 else ():
        clips = {row["clip"]: row for (_, of), table in tables.items() if of == split for row in table}
        rows = list(clips.values())
        selections.append(
            _select(source, split, Request("asr", source, source), "sentence", rows, options.asr_rows)
        )
    return selections


def _select(
    name: str, split: Split, request: Request, reference: str, table: list[dict[str, Any]], limit: int | None
) -> Selection:
    chosen = _draw(table, limit)
    rows = [
        EvaluationRow(request, row["clip"], row["sentence"], row[reference], row["seconds"])
        for row in chosen
        if row["seconds"] is not None
    ]
    return Selection(name, request.task, split, rows, len(chosen), len(table))


def _draw(table: list[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """At most `limit` rows by a hash of their clip, in the table's order: the same clips for all runs and pairs."""
    if limit is None or limit >= len(table):
        return table
    drawn = sorted(table, key=lambda row: hashlib.sha256(row["clip"].encode()).digest())[:limit]
    names = {row["clip"] for row in drawn}
    return [row for row in table if row["clip"] in names]
