"""Inputs and params of the rules in results.smk."""

from dataclasses import dataclass
from pathlib import Path

from llast.config import layout
from llast.config.resolved import ResolvedConfig
from llast.config.rules import Wildcards, official_counts_flag


@dataclass(frozen=True)
class ResultsRules:
    """Of the resolved configuration, what the steps over all experiments read."""

    resolved: ResolvedConfig

    @property
    def run_manifests(self) -> list[str]:
        return [self.resolved.run_manifest(name, seed) for name, seed in self.resolved.runs]

    @property
    def score_files(self) -> list[str]:
        return [file for name, seed in self.resolved.runs for file in self.resolved.scores(name, seed)]

    @property
    def comparisons(self) -> list[str]:
        """One for each run whose baseline is in the workflow."""
        experiments = self.resolved.experiments
        return [
            layout.comparison(layout.run_folder(name, seed))
            for name, seed in self.resolved.runs
            if experiments[name].baseline in experiments
        ]

    @property
    def corpus_summaries(self) -> list[str]:
        """What the report's funnel of rows is drawn from."""
        steps = ["synthesize"] * self.resolved.synthetic + ["resample", "join", "filter"]
        return [
            self.resolved.corpus_summary(step, source) for step in steps for source in self.resolved.sources
        ]

    @property
    def mix_summaries(self) -> list[str]:
        runs = [(name, seed) for name, seed in self.resolved.runs if name in self.resolved.trained]
        return [layout.mix_summary(layout.run_folder(name, seed)) for name, seed in runs]

    def published(self, wildcards: Wildcards) -> list[str]:
        """Scores of the literature, where there are any; they stand beside real ones only.

        A method: the folder is a user's text.
        """
        file = f"{self.resolved.config.config_dir}/published.csv"
        return [file] if not self.resolved.synthetic and Path(file).is_file() else []

    @property
    def official_counts(self) -> str:
        return official_counts_flag(self.resolved.corpus.official_counts)

    @property
    def title(self) -> str:
        return f"LLaST on {self.resolved.config.corpus}"

    @property
    def case(self) -> str:
        return self.resolved.config.case
