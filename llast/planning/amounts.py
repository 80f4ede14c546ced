"""How much there is of a corpus before any of it is here: rows, clips, hours and bytes."""

import csv
from collections.abc import Sequence
from importlib.resources import files

from llast.config.corpus import (
    CorpusConfig,
    HuggingFaceSource,
    LocalSource,
    MdcSource,
    PreparedSource,
    SyntheticSource,
    UrlSource,
)
from llast.languages import SPLITS, pairs_from
from llast.planning.figures import Figure, rows_of

SAMPLE_RATE = 16_000


class Amounts:
    """Rows and audio of a corpus: the published ones of CoVoST-2, or those that a synthetic corpus is told to have.

    Args:
        corpus: its configuration.
        figures: those of `load_figures`.
    """

    def __init__(self, corpus: CorpusConfig, figures: dict[str, Figure]) -> None:
        self._corpus = corpus
        self._source = corpus.source if isinstance(corpus.source, SyntheticSource) else None
        self._figures = figures
        counts = files("llast.corpus").joinpath("official_counts.tsv").read_text(encoding="utf-8")
        self._counts = {row["pair"]: row for row in csv.DictReader(counts.splitlines(), delimiter="\t")}
        self._speech = {row["language"]: row for row in rows_of("speech.tsv")}

    def rows(self, pair: str, split: str) -> int:
        """Rows of one split of a pair."""
        if self._source:
            return int(getattr(self._source.options, split))
        return int(self._counts[pair][split])

    def clips(self, source: str, split: str) -> int:
        """Distinct clips of one split of a source language; the pairs out of it share them."""
        return max(self.rows(pair, split) for pair in pairs_from(source, self._corpus.pairs))

    def seconds(self, source: str, split: str) -> float:
        """Mean length of those clips, in seconds."""
        if self._source:
            return self._figures["clip_seconds"].value
        return float(self._speech[source][f"{split}_hours"]) * 3600 / self.clips(source, split)

    def hours(self, source: str, splits: Sequence[str] = SPLITS) -> float:
        """Audio of a source language."""
        return sum(self.clips(source, split) * self.seconds(source, split) for split in splits) / 3600

    def all_rows(self, source: str) -> int:
        """Rows of all splits of all pairs out of a source language."""
        pairs = pairs_from(source, self._corpus.pairs)
        return sum(self.rows(pair, split) for pair in pairs for split in SPLITS)

    def archive_bytes(self, source: str) -> float:
        """The Common Voice archive with the tables of the pairs, compressed."""
        seconds, source_of = self.hours(source) * 3600, self._corpus.source
        if self._source:
            return seconds * self._figures["mp3_rate"].value
        if isinstance(source_of, HuggingFaceSource):  # the clips of CoVoST-2 only
            return seconds * self._figures["mp3_rate"].value + self._table_bytes(source)
        if isinstance(source_of, PreparedSource):
            return seconds * 2 * SAMPLE_RATE + self.all_rows(source) * self._figures["table_row"].value
        return float(self._speech[source]["archive_gb"]) * 1e9 + self._table_bytes(source)

    def download_bytes(self, source: str) -> float:
        """What of it the step fetch downloads."""
        if isinstance(self._corpus.source, UrlSource | MdcSource | HuggingFaceSource):
            return self.archive_bytes(source)
        if isinstance(self._corpus.source, LocalSource) and "://" in self._corpus.source.tables:
            return self._table_bytes(source)
        return 0.0

    def _table_bytes(self, source: str) -> float:
        return float(
            sum(
                int(self._counts[pair]["tsv_tar_gz_bytes"]) for pair in pairs_from(source, self._corpus.pairs)
            )
        )
