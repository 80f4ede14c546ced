"""What the steps are given besides files: their versions, and options that no configuration file holds as such."""

from typing import Literal

from pydantic import Field

from llast.config.base import Model, Pairs
from llast.config.evaluation_only import CascadeExperiment, PretrainedExperiment, WhisperExperiment
from llast.config.experiment import (
    AdaptorOptions,
    DecodingOptions,
    EncoderOptions,
    LlmOptions,
    MixtureOptions,
    TrainingOptions,
)
from llast.corpus.sources import CorpusSource
from llast.languages import CorpusSplit

STEP_VERSIONS: dict[str, int] = {
    "synthesize": 2,
    "fetch": 5,
    "fetch_model": 1,
    "resample": 1,
    "join": 4,
    "filter": 3,
    "statistics": 2,
    "mix": 5,
    "train": 7,
    "describe": 2,
    "decode": 4,
    "score": 3,
    "compare": 2,
    "table": 3,
    "track": 3,
    "report": 3,
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

    comet_command: str | None = None
    comet_model: str = "Unbabel/wmt22-comet-da"


class Machine(Model):
    """Where a training runs. It never enters a rule's params: another machine does not retrain what is finished."""

    cluster: Literal["local", "slurm"] = Field("local", description="`local` or `slurm`.")
    nodes: int = Field(1, ge=1, description="Nodes.")
    tasks_per_node: int = Field(1, ge=1, description="Processes (ranks) on each node; one per GPU.")
    gpus_per_node: int = Field(0, ge=0, description="GPUs on each node.")
    threads: int = Field(1, ge=1, description="CPU threads of each process.")
    minutes: int = Field(2880, ge=1, description="Time limit of the job; a longer training is requeued.")
    memory_mb: int = Field(
        0, ge=0, description="Memory of each node of a Slurm job; 0: the cluster's default."
    )
    partition: str = Field("", description="Slurm partition; empty: the cluster's default.")
    account: str = Field("", description="Slurm account; empty: the user's default.")
    extra: str = Field("", description="More options of sbatch, as --name=value --name.")
    container: str = Field("", description="Apptainer image to train in; empty: this environment.")

    @property
    def ranks(self) -> int:
        """Processes of the whole job."""
        return self.nodes * self.tasks_per_node
