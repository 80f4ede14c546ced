"""Inputs and params of the rules in experiment.smk."""

from dataclasses import dataclass
from pathlib import Path

from llast.config import layout
from llast.config.evaluation_only import Experiment
from llast.config.experiment import DecodingOptions, ExperimentConfig
from llast.config.resolved import ResolvedConfig
from llast.config.rules import Wildcards, as_options
from llast.config.steps import DecodeOptions, DescribeOptions, ScoreOptions, TrainSpec
from llast.errors import ConfigError
from llast.languages import pairs_from, source_languages


@dataclass(frozen=True)
class ExperimentRules:
    """Of the resolved configuration, what the steps of an experiment read."""

    resolved: ResolvedConfig

    def model_reference(self, wildcards: Wildcards) -> str:
        return self.resolved.models[wildcards.model]

    @property
    def filtered(self) -> list[str]:
        """The rows of the whole corpus: those of other pairs are needed to find texts of dev and test in train."""
        return [self.resolved.corpus_summary("filter", source) for source in self.resolved.sources]

    def mix_options(self, wildcards: Wildcards) -> str:
        return as_options(self._trained(wildcards).mixture)

    def train_audio(self, wildcards: Wildcards) -> list[str]:
        sources = source_languages(self._trained(wildcards).mixture.pairs)
        return [self.resolved.corpus_summary("resample", source) for source in sources]

    def encoder_files(self, wildcards: Wildcards) -> list[str]:
        return _files_of_model(self._trained(wildcards).encoder.base)

    def llm_files(self, wildcards: Wildcards) -> list[str]:
        return _files_of_model(self._trained(wildcards).llm.base)

    def train_options(self, wildcards: Wildcards) -> str:
        experiment = self._trained(wildcards)
        parts = {name: getattr(experiment, name) for name in TrainSpec.model_fields}
        return as_options(TrainSpec(**parts))

    def base_files(self, wildcards: Wildcards) -> list[str]:
        """All models that an experiment of any kind is made of."""
        bases = self._experiment(wildcards).bases.values()
        return list(dict.fromkeys(file for base in bases for file in _files_of_model(base)))

    def base_arguments(self, wildcards: Wildcards) -> list[str]:
        """The models of an experiment of any kind, by name, such as `encoder=FILE` and `llm=FILE`."""
        bases = self._experiment(wildcards).bases.items()
        return [f"{key.partition('.')[0]}={layout.model_file(base)}" for key, base in bases]

    def describe_options(self, wildcards: Wildcards) -> str:
        """What the experiment is. How it decodes is read by `decode`; no step reads its description and baseline."""
        experiment = self._experiment(wildcards)
        if isinstance(experiment, ExperimentConfig):
            raise ConfigError(
                f"experiment '{wildcards.experiment}' is trained; there is nothing to describe."
            )
        unread = {"decoding": DecodingOptions(), "description": "", "baseline": None}
        return as_options(
            DescribeOptions(
                experiment=experiment.model_copy(update=unread),
                pairs=experiment.claims(self.resolved.corpus.pairs),
            )
        )

    def run_manifest(self, wildcards: Wildcards) -> str:
        return self.resolved.run_manifest(wildcards.experiment, wildcards.seed)

    @property
    def filtered_source(self) -> str:
        return self.resolved.corpus_summary("filter", "{source}")

    @property
    def resampled_source(self) -> str:
        return self.resolved.corpus_summary("resample", "{source}")

    def decode_pairs(self, wildcards: Wildcards) -> list[str]:
        pairs = pairs_from(wildcards.source, self.resolved.corpus.pairs)
        return self._experiment(wildcards).translates(pairs)

    def decode_options(self, wildcards: Wildcards) -> str:
        experiment, config = self._experiment(wildcards), self.resolved.config
        return as_options(
            DecodeOptions(
                decoding=experiment.decoding,
                splits=self.resolved.corpus.evaluated,
                dev_rows=config.dev_rows,
                test_rows=config.test_rows,
                asr_rows=config.asr_rows if experiment.transcribes else 0,
            )
        )

    def decoded(self, wildcards: Wildcards) -> list[str]:
        """The hypotheses of one checkpoint."""
        return self.resolved.decoded(wildcards.experiment, wildcards.seed, wildcards.checkpoint)

    def score_options(self, wildcards: Wildcards) -> str:
        """A method, since the command is a user's text."""
        config = self.resolved.config
        return as_options(ScoreOptions(comet_command=config.comet_command, comet_model=config.comet_model))

    def baseline(self, wildcards: Wildcards) -> str:
        return str(self._experiment(wildcards).baseline)

    def compared_runs(self, wildcards: Wildcards) -> list[str]:
        """`run.json` of an experiment and of its baseline."""
        return [self.resolved.run_manifest(name, seed) for name, seed in self._compared(wildcards)]

    def compared_scores(self, wildcards: Wildcards) -> list[str]:
        """Scores of all checkpoints of an experiment and its baseline: the dev ones choose the checkpoints."""
        return [file for name, seed in self._compared(wildcards) for file in self.resolved.scores(name, seed)]

    def compared_hypotheses(self, wildcards: Wildcards) -> list[str]:
        """Those of every checkpoint: which one is chosen is known only when all are scored."""
        return [
            file
            for name, seed in self._compared(wildcards)
            for checkpoint in self.resolved.checkpoints(name)
            for file in self.resolved.decoded(name, seed, checkpoint)
        ]

    def _compared(self, wildcards: Wildcards) -> list[tuple[str, int | str]]:
        """An experiment and its baseline, each with its seed."""
        baseline = self.baseline(wildcards)
        seed = wildcards.seed if baseline in self.resolved.trained else self.resolved.config.seeds[0]
        return [(wildcards.experiment, wildcards.seed), (baseline, seed)]

    def _experiment(self, wildcards: Wildcards) -> Experiment:
        return self.resolved.experiments[wildcards.experiment]

    def _trained(self, wildcards: Wildcards) -> ExperimentConfig:
        experiment = self._experiment(wildcards)
        if not isinstance(experiment, ExperimentConfig):
            raise ConfigError(
                f"experiment '{wildcards.experiment}' is of kind '{experiment.kind}', which is not trained."
            )
        return experiment


def _files_of_model(base: str) -> list[str]:
    """What a step that loads a base model depends on: `model_file` first; all files of a folder in place."""
    first = layout.model_file(base)
    others = map(str, layout.model_files(Path(first).parent)) if layout.is_folder(base) else []
    return list(dict.fromkeys([first, *others]))
