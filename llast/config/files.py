"""Where everything lies that a workflow makes: one place that knows the folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import model_files
from llast.config.corpus import CorpusConfig, SyntheticSource
from llast.config.evaluation_only import Experiment
from llast.config.experiment import ExperimentConfig
from llast.config.workflow import WorkflowConfig
from llast.languages import source_languages


@dataclass(frozen=True)
class Files:
    """What is made, of which language, experiment, seed and checkpoint, and the file that stands for it.

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
    def trained(self) -> dict[str, ExperimentConfig]:
        """Those experiments that are trained; the others are only evaluated."""
        return {name: one for name, one in self.experiments.items() if isinstance(one, ExperimentConfig)}

    @property
    def models(self) -> dict[str, str]:
        """Hub references of the experiments' base models by folder name under `resources/models/`."""
        bases = [base for one in self.experiments.values() for base in one.bases.values()]
        return {model_name(base): base for base in bases if not is_folder(base)}

    @property
    def synthetic(self) -> bool:
        """Whether the corpus is made by the step `synthesize`."""
        return isinstance(self.corpus.source, SyntheticSource)

    def shared(self, step: str, source: str) -> str:
        """The summary of a step of the corpus, which experiments share."""
        return f"resources/{self.config.corpus}/{step}/{source}/summary.json"

    def run_folder(self, experiment: str, seed: int | str) -> str:
        """What one experiment makes, with one seed."""
        return f"results/{experiment}/seed{seed}"

    def scores_of(self, experiment: str, seed: int | str) -> list[str]:
        """The score files of all checkpoints of a run."""
        return [
            f"{self.run_folder(experiment, seed)}/score/checkpoint{checkpoint}.{split}.json"
            for checkpoint in self.checkpoints(experiment)
            for split in ("dev", "test")
        ]

    def runs(self) -> list[tuple[str, int]]:
        """Experiments and seeds. What is not trained says the same for every seed: it runs once."""
        seeds = self.config.seeds
        return [
            (name, seed)
            for name in self.experiments
            for seed in (seeds if self.is_trained(name) else seeds[:1])
        ]

    def run_of(self, experiment: str, seed: int | str) -> str:
        """The manifest of a run, written by `train` or `describe`."""
        return f"{self.run_folder(experiment, seed)}/{'train' if self.is_trained(experiment) else 'describe'}/run.json"

    def is_trained(self, experiment: str) -> bool:
        """Or only evaluated."""
        return experiment in self.trained

    def checkpoints(self, experiment: str) -> range:
        """Their numbers, from 1."""
        one = self.experiments[experiment]
        return range(1, (one.training.checkpoints if isinstance(one, ExperimentConfig) else 1) + 1)

    def translations_of(self, experiment: str, seed: int | str, checkpoint: int | str) -> list[str]:
        """The summaries of one checkpoint's translations, one per source language."""
        folder = f"{self.run_folder(experiment, seed)}/decode/checkpoint{checkpoint}"
        sources = source_languages(self.experiments[experiment].translates(self.corpus.pairs))
        return [f"{folder}/{source}/summary.json" for source in sources]


def is_folder(base: str) -> bool:
    """Whether a base model is used in place; else it is a reference to the hub."""
    return base.startswith(("./", "/"))


def model_name(base: str) -> str:
    """Its folder under `resources/models/`."""
    return base.replace("/", "--")


def model_file(base: str) -> str:
    """The file that stands for a base model, in the folder that holds it."""
    if is_folder(base):
        return f"{base.removeprefix('./').rstrip('/')}/config.json"
    return f"resources/models/{model_name(base)}/summary.json"


def files_of_model(base: str) -> list[str]:
    """What a step that loads a base model depends on: `model_file` first; all files of a folder in place."""
    first = model_file(base)
    others = map(str, model_files(Path(first).parent)) if is_folder(base) else []
    return list(dict.fromkeys([first, *others]))
