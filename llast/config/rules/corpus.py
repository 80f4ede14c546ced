"""Inputs and params of the rules in corpus.smk."""

from dataclasses import dataclass

from llast.config.resolved import ResolvedConfig
from llast.config.rules import Wildcards, as_options, official_counts_flag
from llast.config.steps import FetchOptions
from llast.languages import pairs_from


@dataclass(frozen=True)
class CorpusRules:
    """Of the resolved configuration, what the steps of the corpus read."""

    resolved: ResolvedConfig

    def pairs(self, wildcards: Wildcards) -> list[str]:
        """Pairs of the corpus out of a source language."""
        return pairs_from(wildcards.source, self.resolved.corpus.pairs)

    @property
    def synthesize_options(self) -> str:
        options = self.resolved.corpus.source.synthesize_options
        return as_options(options) if options else "{}"

    @property
    def synthesized(self) -> list[str]:
        """What `fetch` needs first: nothing, unless the corpus is synthetic."""
        return [self.resolved.corpus_summary("synthesize", "{source}")] if self.resolved.synthetic else []

    def fetch_options(self, wildcards: Wildcards) -> str:
        """Where the files of this language are, and what of them is which split."""
        corpus = self.resolved.corpus
        source = corpus.source.for_language(wildcards.source)
        return as_options(FetchOptions(source=source, splits=corpus.splits, evaluated=corpus.evaluated))

    @property
    def downloads(self) -> int:
        """How much a fetch takes of the resource that bounds the downloads under way; local files take none."""
        return int(self.resolved.corpus.source.downloads)

    @property
    def resample_options(self) -> str:
        return as_options(self.resolved.corpus.resample)

    @property
    def official_counts(self) -> str:
        return official_counts_flag(self.resolved.corpus.official_counts)

    @property
    def filter_options(self) -> str:
        return as_options(self.resolved.corpus.filter)
