"""What the steps are given besides files: their versions, and options that no configuration file holds as such."""

import re
import shlex
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from llast.config.base import Model, Pairs, Text
from llast.config.evaluation_only import CascadeExperiment, PretrainedExperiment, WhisperExperiment
from llast.config.experiment import (
    AdaptorOptions,
    DecodingOptions,
    EncoderOptions,
    LlmOptions,
    MixtureOptions,
    TrainingOptions,
)
from llast.config.workflow import Command
from llast.corpus.sources import CorpusSource
from llast.languages import CorpusSplit

STEP_VERSIONS: dict[str, int] = {
    "synthesize": 2,
    "fetch": 5,
    "fetch_model": 1,
    "resample": 2,
    "join": 4,
    "filter": 5,
    "statistics": 3,
    "mix": 6,
    "train": 7,
    "describe": 3,
    "decode": 5,
    "score": 5,
    "compare": 3,
    "table": 4,
    "track": 4,
    "report": 4,
}
"""Version of each step's behaviour. Raise it when the code of a step changes what it writes: the step reruns."""


class FetchOptions(Model):
    """Where the files of a corpus come from, and what of them is which split."""

    source: CorpusSource
    splits: dict[str, CorpusSplit] = Field({}, description="split of labels that are not CoVoST-2's own.")
    evaluated: tuple[Literal["dev", "test"], ...] = Field(
        ("dev", "test"), description="splits of which each pair needs rows."
    )


class TrainSpec(Model):
    """What the step train is given of an experiment; `llast.training.identity` says what of it decides the weights."""

    kind: Literal["train"] = "train"
    encoder: EncoderOptions
    adaptor: AdaptorOptions
    llm: LlmOptions
    mixture: MixtureOptions
    training: TrainingOptions

    @property
    def trained_pairs(self) -> list[str]:
        """Directions in the training mixture."""
        return list(self.mixture.pairs)


class DescribeOptions(Model):
    """What an experiment is that is only evaluated, and which pairs count in its averages."""

    experiment: WhisperExperiment | CascadeExperiment | PretrainedExperiment = Field(discriminator="kind")
    pairs: Pairs


class DecodeOptions(Model):
    """Which rows are decoded and how."""

    decoding: DecodingOptions = DecodingOptions()
    splits: tuple[Literal["dev", "test"], ...] = ("dev", "test")
    dev_rows: int | None = Field(
        None, ge=1, description="dev rows per pair, the same for every run; null: all."
    )
    test_rows: int | None = Field(
        None, ge=1, description="test rows per pair, the same for every run; null: all."
    )
    asr_rows: int | None = Field(
        0, ge=0, description="clips to transcribe of each split, the same for every run; null: all."
    )


class ScoreOptions(Model):
    """What is computed besides BLEU and chrF2."""

    comet_command: Command | None = None
    comet_model: Text = "Unbabel/wmt22-comet-da"


SBATCH_OWNED = {
    "nodes": "nodes",
    "ntasks-per-node": "tasks_per_node",
    "gpus-per-node": "gpus_per_node",
    "cpus-per-task": "cpus_per_task",
    "time": "runtime",
    "mem": "mem_mb",
    "partition": "slurm_partition",
    "account": "slurm_account",
    **dict.fromkeys(
        ("job-name", "output", "error", "open-mode", "signal", "requeue", "no-requeue", "array", "wrap"), ""
    ),
}
"""Options of sbatch that the launcher sets itself, each with the resource of the rule train it comes from, if any."""


def _options_of_sbatch(extra: str) -> str:
    sbatch_options(extra)
    return extra


def sbatch_options(extra: str) -> dict[str, str | Literal[True]]:
    """Options of sbatch, such as `--qos=long --exclusive`, by name.

    Raises:
        ValueError: not of that form, or one that the launcher sets itself.
    """
    found: dict[str, str | Literal[True]] = {}
    for word in shlex.split(extra):
        name, equals, value = word.partition("=")
        if not re.fullmatch(r"--[a-z][a-z0-9-]*", name):
            raise ValueError(f"'{word}': write options of sbatch as --name=value or --name.")
        name = name.removeprefix("--")
        if name in SBATCH_OWNED:
            instead = SBATCH_OWNED[name]
            remedy = f"set {instead} of the rule train" if instead else "take it out"
            raise ValueError(f"'--{name}' is set by the launcher itself: {remedy}.")
        found[name] = value if equals else True
    return found


def _image(path: str) -> str:
    if path.startswith("-"):
        raise ValueError(f"'{path}' begins with a dash, as options do: write ./{path}")
    return path


class Machine(Model):
    """Where a training runs. It never enters a rule's params: another machine does not retrain what is finished."""

    FROM_ARGUMENTS = True
    cluster: Literal["local", "slurm"] = Field("local", description="`local` or `slurm`.")
    nodes: int = Field(1, ge=1, le=10_000, description="Nodes.")
    tasks_per_node: int = Field(1, ge=1, le=1_024, description="Processes (ranks) on each node; one per GPU.")
    gpus_per_node: int = Field(0, ge=0, le=1_024, description="GPUs on each node.")
    threads: int = Field(1, ge=1, le=4_096, description="CPU threads of each process.")
    minutes: int = Field(
        2880, ge=1, le=5_000_000, description="Time limit of the job; a longer training is requeued."
    )
    memory_mb: int = Field(
        0, ge=0, le=1_000_000_000, description="Memory of each node of a Slurm job; 0: the cluster's default."
    )
    partition: str = Field("", description="Slurm partition; empty: the cluster's default.")
    account: str = Field("", description="Slurm account; empty: the user's default.")
    extra: Annotated[str, AfterValidator(_options_of_sbatch)] = Field(
        "", description="More options of sbatch, as --name=value --name."
    )
    container: Annotated[str, AfterValidator(_image)] = Field(
        "", description="Apptainer image to train in; empty: this environment."
    )

    @property
    def ranks(self) -> int:
        """Processes of the whole job."""
        return self.nodes * self.tasks_per_node
