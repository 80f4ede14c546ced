"""The plan: which files each rule reads and which part of the configuration it is given.

The workflow's rules take the bound methods of `Plan` as input and params functions, so that the Snakefile stays
data. A rule's params hold only the part of the configuration that its step reads: Snakemake reruns a job whose
params changed, and a change of beam must not retrain.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llast.config.corpus import MdcSource, PreparedSource, SyntheticSource
from llast.config.evaluation_only import Experiment
from llast.config.experiment import DecodingOptions, ExperimentConfig
from llast.config.files import Files, files_of_model, is_folder, model_file
from llast.config.load import check_baseline, load_corpus, load_experiment, load_workflow
from llast.config.steps import DecodeOptions, DescribeOptions, FetchOptions, ScoreOptions, TrainSpec
from llast.errors import ConfigError
from llast.languages import pairs_from, source_languages

Wildcards = Any  # Snakemake's: an attribute for each wildcard, all of them text


@dataclass(frozen=True)
class Plan(Files):
    """Everything that is going to run, resolved and validated."""

    @property
    def environment(self) -> dict[str, str]:
        """What `track`, `report` and the training launcher read; as a param of theirs, another server would retrain."""
        return {"MLFLOW_TRACKING_URI": self.config.tracking_uri}

    # Parts of the configuration, as the rules' params

    def source_pairs(self, wildcards: Wildcards) -> list[str]:
        return pairs_from(wildcards.source, self.corpus.pairs)

    def synthesize_options(self, wildcards: Wildcards) -> str:
        source = self.corpus.source
        return _json(source.options) if isinstance(source, SyntheticSource) else "{}"

    def fetch_options(self, wildcards: Wildcards) -> str:
        """Where the files are, of this language. What a synthetic corpus is made of is the business of `synthesize`."""
        source = SyntheticSource() if self.synthetic else self.corpus.source
        if isinstance(source, MdcSource):
            code = wildcards.source
            source = source.model_copy(update={"datasets": {code: source.datasets[code]}})
        return _json(FetchOptions(source=source))

    def downloads(self, wildcards: Wildcards) -> int:
        """How much a fetch takes of the resource that bounds the downloads under way; local files take none."""
        return int(not isinstance(self.corpus.source, SyntheticSource | PreparedSource))

    def model_reference(self, wildcards: Wildcards) -> str:
        return self.models[wildcards.model]

    def resample_options(self, wildcards: Wildcards) -> str:
        return _json(self.corpus.resample)

    def join_options(self, wildcards: Wildcards) -> str:
        return "--official-counts" if self.corpus.official_counts else "--no-official-counts"

    def statistics_options(self, wildcards: Wildcards) -> str:
        return self.join_options(wildcards)

    def filter_options(self, wildcards: Wildcards) -> str:
        return _json(self.corpus.filter)

    def mix_options(self, wildcards: Wildcards) -> str:
        return _json(self._trained(wildcards).mixture)

    def train_options(self, wildcards: Wildcards) -> str:
        one = self._trained(wildcards)
        return _json(
            TrainSpec(
                encoder=one.encoder,
                adaptor=one.adaptor,
                llm=one.llm,
                mixture=one.mixture,
                training=one.training,
            )
        )

    def decode_options(self, wildcards: Wildcards) -> str:
        one = self._experiment(wildcards)
        return _json(
            DecodeOptions(
                decoding=one.decoding,
                dev_rows=self.config.dev_rows,
                test_rows=self.config.test_rows,
                asr_rows=self.config.asr_rows if one.transcribes else 0,
            )
        )

    def score_options(self, wildcards: Wildcards) -> str:
        return _json(
            ScoreOptions(comet_command=self.config.comet_command, comet_model=self.config.comet_model)
        )

    def baseline(self, wildcards: Wildcards) -> str:
        return str(self._experiment(wildcards).baseline)

    def decode_pairs(self, wildcards: Wildcards) -> list[str]:
        return self._experiment(wildcards).translates(self.source_pairs(wildcards))

    def base_arguments(self, wildcards: Wildcards) -> str:
        """The models of an experiment of any kind, by name, such as `encoder=FILE llm=FILE`."""
        bases = self._experiment(wildcards).bases.items()
        return " ".join(f"{key.partition('.')[0]}={model_file(base)}" for key, base in bases)

    def described(self, wildcards: Wildcards) -> str:
        """What it is; its decoding is the business of `decode`, its description nobody's."""
        one = self._experiment(wildcards)
        if isinstance(one, ExperimentConfig):
            raise ConfigError(
                f"experiment '{wildcards.experiment}' is trained; there is nothing to describe."
            )
        plain = one.model_copy(update={"decoding": DecodingOptions(), "description": "", "baseline": None})
        return _json(DescribeOptions(experiment=plain, pairs=one.claims(self.corpus.pairs)))

    def report_title(self, wildcards: Wildcards) -> str:
        return f"LLaST on {self.config.corpus}"

    # Files, as the rules' inputs

    def fetch_inputs(self, wildcards: Wildcards) -> list[str]:
        return [self.shared("synthesize", wildcards.source)] if self.synthetic else []

    def mix_inputs(self, wildcards: Wildcards) -> list[str]:
        """The rows of the whole corpus: those of other pairs are needed to find texts of dev and test in train."""
        return [self.shared("filter", source) for source in self.sources]

    def train_audio(self, wildcards: Wildcards) -> list[str]:
        pairs = self._trained(wildcards).mixture.pairs
        return [self.shared("resample", source) for source in source_languages(pairs)]

    def encoder_files(self, wildcards: Wildcards) -> list[str]:
        return files_of_model(self._trained(wildcards).encoder.base)

    def llm_files(self, wildcards: Wildcards) -> list[str]:
        return files_of_model(self._trained(wildcards).llm.base)

    def base_files(self, wildcards: Wildcards) -> list[str]:
        """All models that an experiment of any kind is made of."""
        bases = self._experiment(wildcards).bases.values()
        return list(dict.fromkeys(file for base in bases for file in files_of_model(base)))

    def run_file(self, wildcards: Wildcards) -> str:
        return self.run_of(wildcards.experiment, wildcards.seed)

    def filtered(self, wildcards: Wildcards) -> str:
        return self.shared("filter", wildcards.source)

    def resampled(self, wildcards: Wildcards) -> str:
        return self.shared("resample", wildcards.source)

    def translations(self, wildcards: Wildcards) -> list[str]:
        """Those of one checkpoint."""
        return self.translations_of(wildcards.experiment, wildcards.seed, wildcards.checkpoint)

    def run_files(self, wildcards: Wildcards) -> list[str]:
        return [self.run_of(name, seed) for name, seed in self.runs()]

    def score_files(self, wildcards: Wildcards) -> list[str]:
        return [file for name, seed in self.runs() for file in self.scores_of(name, seed)]

    def compared_runs(self, wildcards: Wildcards) -> list[str]:
        """An experiment's and its baseline's."""
        return [self.run_of(name, seed) for name, seed in self._compared(wildcards)]

    def compared_scores(self, wildcards: Wildcards) -> list[str]:
        """Checkpoints are chosen by them."""
        return [file for name, seed in self._compared(wildcards) for file in self.scores_of(name, seed)]

    def compared_translations(self, wildcards: Wildcards) -> list[str]:
        """Those of every checkpoint: which one is chosen is known only when all are scored."""
        return [
            file
            for name, seed in self._compared(wildcards)
            for checkpoint in self.checkpoints(name)
            for file in self.translations_of(name, seed, checkpoint)
        ]

    def comparisons(self, wildcards: Wildcards) -> list[str]:
        return [
            f"{self.run_folder(name, seed)}/compare/comparison.json"
            for name, seed in self.runs()
            if self.experiments[name].baseline in self.experiments
        ]

    def corpus_summaries(self, wildcards: Wildcards) -> list[str]:
        """What the report's funnel of rows is drawn from."""
        steps = ["synthesize"] * self.synthetic + ["resample", "join", "filter"]
        return [self.shared(step, source) for step in steps for source in self.sources]

    def mix_summaries(self, wildcards: Wildcards) -> list[str]:
        return [
            f"{self.run_folder(name, seed)}/mix/summary.json"
            for name, seed in self.runs()
            if self.is_trained(name)
        ]

    def published_scores(self, wildcards: Wildcards) -> list[str]:
        """Scores of the literature, which stand beside real ones only."""
        return [] if self.synthetic else [f"{self.config.config_dir}/published.csv"]

    # What wildcards stand for

    def _compared(self, wildcards: Wildcards) -> list[tuple[str, int | str]]:
        """An experiment and its baseline, each with its seed."""
        baseline = self.baseline(wildcards)
        seed = wildcards.seed if self.is_trained(baseline) else self.config.seeds[0]
        return [(wildcards.experiment, wildcards.seed), (baseline, seed)]

    def _experiment(self, wildcards: Wildcards) -> Experiment:
        return self.experiments[wildcards.experiment]

    def _trained(self, wildcards: Wildcards) -> ExperimentConfig:
        one = self._experiment(wildcards)
        if not isinstance(one, ExperimentConfig):
            raise ConfigError(
                f"experiment '{wildcards.experiment}' is of kind '{one.kind}', which is not trained."
            )
        return one

    # What the wildcards may be

    @property
    def constraints(self) -> dict[str, str]:
        """Regular expressions for the rules' wildcards: exactly the names of this plan."""
        return {
            "corpus": _either([self.config.corpus]),
            "source": _either(self.sources),
            "experiment": _either(self.experiments),
            "seed": _either(map(str, self.config.seeds)),
            "model": _either(self.models) or "none",
            "checkpoint": r"[1-9]\d*",
            "split": "dev|test",
        }


def make_plan(values: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Plan:
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
    for name, one in experiments.items():
        if one.baseline is not None:
            check_baseline(name, one.baseline, folder)
        if not one.translates(corpus.pairs):
            raise ConfigError(
                f"experiment '{name}': kind {one.kind} translates into English only, and no pair of the corpus does. "
                "Take it out of the experiments."
            )
        for key, base in one.bases.items():
            if is_folder(base) and not Path(model_file(base)).is_file():
                raise ConfigError(
                    f"experiment '{name}': '{key}': there is no model in {base} ({model_file(base)} does not exist). "
                    "Name a folder in Hugging Face format, or a model of the hub as org/name@revision."
                )
    return Plan(config, corpus, experiments)


def _json(options: BaseModel) -> str:
    return json.dumps(options.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def _either(names: Any) -> str:
    return "|".join(re.escape(name) for name in names)
