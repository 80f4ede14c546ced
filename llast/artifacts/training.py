"""Files in the folder of a training run; `llast.training.run_folder` knows where each of them lies."""

from pathlib import Path
from typing import Any

from llast.artifacts.base import Artifact, Typed
from llast.config.steps import Machine, TrainSpec


class Change(Typed):
    """A run that went on with another value of an option that does not decide its weights.

    Attributes:
        step: optimiser steps that were done before it.
        option: dotted key.
        before: its value up to this step.
        after: its value from then on.
    """

    step: int
    option: str
    before: Any
    after: Any


class RunSpec(Artifact):
    """`spec.json`: what is trained, from what, as it was asked for when the run was last started.

    Attributes:
        experiment: name of the experiment.
        seed: seed of the run.
        identity: all that decides the weights, see `llast.training.identity`; its hash names the folder.
        options: model and training.
        machine: where it is trained.
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        encoder: folder of the speech encoder.
        llm: folder of the causal LM.
    """

    WRITTEN_BY = "train"

    format: int = 2
    experiment: str
    seed: int
    identity: dict[str, Any]
    options: TrainSpec
    machine: Machine
    mix: Path
    audio: list[Path]
    encoder: Path
    llm: Path

    @property
    def name(self) -> str:
        """Experiment and seed, as people see them."""
        return f"{self.experiment}-seed{self.seed}"


class Place(Typed):
    """Where a process runs.

    Attributes:
        host: name of the machine or container.
        boot: id that the kernel drew when it started; containers of one machine share it.
        processes: the numbering that process ids belong to, that of the machine or of a container.
    """

    host: str
    boot: str
    processes: str


class JobRecord(Artifact):
    """`job.json`: the job that trains.

    Attributes:
        name: name of the job, of which there is one per folder of a run.
        folder: that folder, as it is called where the job was started.
        machine: where it runs.
        job_id: process id of submitit's local controller, or the Slurm job id; None while it is being submitted.
        place: where it was started, if that is where it runs; None on Slurm.
        started: start of the local controller, see `llast.launch.place.started`; 0 on Slurm.
        submitted: when it was submitted (seconds since 1970).
        ended: whether a local job is known to have ended.
    """

    WRITTEN_BY = "train"

    format: int = 2
    name: str
    folder: Path
    machine: Machine
    job_id: str | None = None
    place: Place | None = None
    started: int = 0
    submitted: float = 0.0
    ended: bool = False


class LockHolder(Artifact):
    """`training.lock`: who holds it, or held it last.

    Attributes:
        place: where the process runs.
        pid: its id there.
    """

    WRITTEN_BY = "train"

    place: Place
    pid: int


class Starts(Artifact):
    """`restarts.json`: starts of the job since its newest checkpoint.

    Attributes:
        step: optimiser step of that checkpoint, 0 without one.
        in_vain: starts since then, besides the first.
    """

    WRITTEN_BY = "train"

    step: int
    in_vain: int


class Packing(Artifact):
    """`packing.json`: whether the rows of a clip are packed into one sequence.

    Attributes:
        packed: whether one sequence holds a clip with all its rows.
        reason: why not, for the user; empty if so.
    """

    WRITTEN_BY = "train"

    packed: bool
    reason: str = ""


class Settings(Typed):
    """What a run may go on with another value of.

    Attributes:
        processes: of the whole job.
        threads: CPU threads of each process.
        gpus_per_node: GPUs on each node; 0: on the CPU.
        container: path of the Apptainer image, empty without one.
        options: options of the training that do not decide its weights, by dotted key.
    """

    processes: int
    threads: int
    gpus_per_node: int
    container: str
    options: dict[str, Any]

    def by_key(self) -> dict[str, Any]:
        """Every value, by dotted key."""
        return self.model_dump(exclude={"options"}) | self.options


class CheckpointRecord(Artifact):
    """`complete.json`, written last in the folder of a checkpoint: what it was made by.

    Attributes:
        step: optimiser steps done.
        identity: of the run, see `RunSpec`; another run does not go on from here.
        settings: what a run may go on with another value of.
        changes: those so far.
        first_loss: loss of the run's first update, which later ones are compared with.
        files: SHA-256 of every file of the checkpoint, by its path in the folder.
    """

    WRITTEN_BY = "train"

    format: int = 3
    step: int
    identity: dict[str, Any]
    settings: Settings
    changes: list[Change]
    first_loss: float
    files: dict[str, str] = {}


class TrainingRecord(Typed):
    """A line of `metrics.jsonl`: one optimiser step.

    Attributes:
        step: its number, from 1.
        time: when it was done (seconds since 1970).
        loss: mean cross-entropy per target token of the update.
        learning_rate: of the step.
        grad_norm: norm of the update's gradient, before clipping.
        target_tokens_per_s: tokens with a loss, of all ranks.
        tokens_per_s: LLM positions without padding, of all ranks.
        rows_per_s: rows of all ranks.
        seconds: time since the end of the step before.
        wait_s: part of that in which rank 0 waited for its rows.
        rows: rows of the update.
        epoch: passes over the mixture when the step was done.
        cpu_percent: load of the processors of rank 0's node.
        memory_mb: memory in use on that node.
        gpu_memory_mb: most that torch has held on the GPU of rank 0.
        gpu_percent: load of that GPU.
        dev_loss: mean cross-entropy per target token on the dev rows, where it was measured.
    """

    step: int
    time: float
    loss: float
    learning_rate: float
    grad_norm: float
    target_tokens_per_s: float
    tokens_per_s: float
    rows_per_s: float
    seconds: float
    wait_s: float
    rows: int
    epoch: float
    cpu_percent: float
    memory_mb: float
    gpu_memory_mb: float | None = None
    gpu_percent: float | None = None
    dev_loss: float | None = None
