"""How much there is of a corpus before any of it is here: rows, clips, hours and bytes."""

from collections.abc import Sequence

from llast.config.corpus import CorpusConfig
from llast.corpus.official import official_table
from llast.corpus.sources.base import Amount
from llast.languages import SPLITS, pairs_from
from llast.planning.figures import Figure, rows_of


class Amounts:
    """Rows and audio of a corpus: those that its source makes, else the published ones of CoVoST-2.

    Args:
        corpus: its configuration.
        figures: those of `load_figures`.
    """

    def __init__(self, corpus: CorpusConfig, figures: dict[str, Figure]) -> None:
        self._corpus = corpus
        self._figures = figures
        self._speech = {row["language"]: row for row in rows_of("speech.tsv")}

    def rows(self, pair: str, split: str) -> int:
        """Rows of one split of a pair."""
        made = self._corpus.source.rows(split)
        return int(official_table()[pair][split]) if made is None else made

    def clips(self, source: str, split: str) -> int:
        """Distinct clips of one split of a source language; the pairs out of it share them."""
        return max(self.rows(pair, split) for pair in pairs_from(source, self._corpus.pairs))

    def seconds(self, source: str, split: str) -> float:
        """Mean length of those clips, in seconds."""
        if self._corpus.source.rows(split) is not None:
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
        """The archive of a source language with the tables of its pairs, or what stands for it: what fetch reads."""
        return self._corpus.source.size(self._amount(source))

    def download_bytes(self, source: str) -> float:
        """What of it the step fetch downloads."""
        return self._corpus.source.download_size(self._amount(source))

    def _amount(self, source: str) -> Amount:
        pairs = pairs_from(source, self._corpus.pairs)
        return Amount(
            rows=self.all_rows(source),
            seconds=self.hours(source) * 3600,
            archive_bytes=float(self._speech[source]["archive_gb"]) * 1e9,
            tables_bytes=sum(float(official_table()[pair]["tsv_tar_gz_bytes"]) for pair in pairs),
            mp3_rate=self._figures["mp3_rate"].value,
            row_bytes=self._figures["table_row"].value,
        )
