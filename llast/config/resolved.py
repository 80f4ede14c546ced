"""The resolved configuration: the workflow's own, the corpus and the experiments that it names, checked together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.config import layout
from llast.config.corpus import CorpusConfig
from llast.config.evaluation_only import Experiment
from llast.config.experiment import ExperimentConfig
from llast.config.load import check_baseline, load_corpus, load_experiment, load_workflow
from llast.config.workflow import WorkflowConfig
from llast.errors import ConfigError
from llast.languages import source_languages


@dataclass(frozen=True)
class ResolvedConfig:
    """Everything that a workflow is about.

    Attributes:
        config: the workflow's own configuration.
        corpus: the corpus that it names.
        experiments: the experiments that it names, `mixture.pairs` resolved.
    """

    config: WorkflowConfig
    corpus: CorpusConfig
    experiments: Mapping[str, Experiment]

    @property
    def sources(self) -> list[str]:
        """Source languages of the corpus's pairs."""
        return source_languages(self.corpus.pairs)

    @property
    def synthetic(self) -> bool:
        """Whether the corpus is made by the step `synthesize`."""
        return self.corpus.source.synthesize_options is not None

    @property
    def trained(self) -> dict[str, ExperimentConfig]:
        """Those experiments that are trained; the others are only evaluated."""
        return {
            name: experiment
            for name, experiment in self.experiments.items()
            if isinstance(experiment, ExperimentConfig)
        }

    @property
    def models(self) -> dict[str, str]:
        """Hub references of the experiments' base models by folder name under `resources/models/`."""
        bases = [base for experiment in self.experiments.values() for base in experiment.bases.values()]
        return {layout.model_name(base): base for base in bases if not layout.is_folder(base)}

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Experiments and seeds. What is only evaluated says the same for every seed: it runs once."""
        seeds = self.config.seeds
        return [
            (name, seed)
            for name in self.experiments
            for seed in (seeds if name in self.trained else seeds[:1])
        ]

    def checkpoints(self, experiment: str) -> range:
        """The numbers of an experiment's checkpoints, from 1."""
        trained = self.trained.get(experiment)
        return range(1, (trained.training.checkpoints if trained else 1) + 1)

    def corpus_summary(self, step: str, source: str) -> str:
        """The summary of a step of this corpus."""
        return layout.corpus_summary(self.config.corpus, step, source)

    def run_manifest(self, experiment: str, seed: int | str) -> str:
        """The `run.json` of a run, of `train` or of `describe`."""
        step = "train" if experiment in self.trained else "describe"
        return layout.run_manifest(layout.run_folder(experiment, seed), step)

    def decoded(self, experiment: str, seed: int | str, checkpoint: int | str) -> list[str]:
        """The summaries of one checkpoint's hypotheses, one per source language."""
        run = layout.run_folder(experiment, seed)
        sources = source_languages(self.experiments[experiment].translates(self.corpus.pairs))
        return [layout.decode_summary(run, checkpoint, source) for source in sources]

    def scores(self, experiment: str, seed: int | str) -> list[str]:
        """The score files of all checkpoints of a run."""
        run = layout.run_folder(experiment, seed)
        return [
            layout.score_file(run, checkpoint, split)
            for checkpoint in self.checkpoints(experiment)
            for split in self.corpus.evaluated
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What `track`, `report` and the training launcher read; as a param of theirs, another server would retrain."""
        return {"MLFLOW_TRACKING_URI": self.config.tracking_uri}

    @property
    def wildcard_constraints(self) -> dict[str, str]:
        """Regular expressions for the rules' wildcards: exactly the names that there are."""
        return {
            "corpus": _either([self.config.corpus]),
            "source": _either(self.sources),
            "experiment": _either(self.experiments),
            "seed": _either(map(str, self.config.seeds)),
            "model": _either(self.models) or "none",
            "checkpoint": r"[1-9]\d*",
            "split": "dev|test",
        }


def resolve(values: Mapping[str, Any], files: Sequence[str | Path] = ()) -> ResolvedConfig:
    """Load and validate everything that a workflow configuration names.

    Args:
        values: the merged configuration.
        files: the files it was merged from.

    Raises:
        ConfigError: with file, key, what is wrong and the nearest valid name.
    """
    config = load_workflow(values, [Path(file) for file in files])
    folder = Path(config.config_dir)
    corpus = load_corpus(config.corpus, folder)
    experiments = {name: load_experiment(name, folder, corpus.pairs) for name in config.experiments}
    for name, experiment in experiments.items():
        if experiment.baseline is not None:
            check_baseline(name, experiment.baseline, folder)
        if not experiment.translates(corpus.pairs):
            raise ConfigError(
                f"experiment '{name}': kind {experiment.kind} translates into English only, and no pair of the corpus "
                "does. Take it out of the experiments."
            )
        for key, base in experiment.bases.items():
            file = layout.model_file(base)
            if layout.is_folder(base) and not Path(file).is_file():
                raise ConfigError(
                    f"experiment '{name}': '{key}': there is no model in {base} ({file} does not exist). "
                    "Name a folder in Hugging Face format, or a model of the hub as org/name@revision."
                )
    return ResolvedConfig(config, corpus, experiments)


def _either(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)
