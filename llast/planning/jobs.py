"""Every job of a plan, with what it handles and an estimate of what it costs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from llast.config import layout
from llast.config.evaluation_only import Experiment, PretrainedExperiment
from llast.config.experiment import ExperimentConfig
from llast.config.resolved import ResolvedConfig
from llast.languages import pairs_from, source_languages
from llast.planning.amounts import Amounts
from llast.planning.cost import LlastCost, Shape, shape_of
from llast.planning.evaluation_only import EvaluationOnlyCost
from llast.planning.figures import Figure
from llast.planning.machines import Machines
from llast.training.schedule import total_steps

GB = 1e9


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        stage: its rule.
        output: the declared output that stands for it; the job is done if it exists.
        rows: rows that it handles.
        audio_hours: audio that it handles.
        disk_gb: what it leaves on disk.
        core_hours: processor time, one core.
        gpu_hours: time of one GPU.
        experiment: name of the experiment of a job that belongs to a run.
        seed: seed of that run.
    """

    stage: str
    output: Path
    rows: float = 0.0
    audio_hours: float = 0.0
    disk_gb: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    experiment: str = ""
    seed: int | None = None

    @property
    def done(self) -> bool:
        """Whether its output exists; whether it still fits the configuration is Snakemake's business."""
        return self.output.exists()


class Estimates:
    """The jobs of a plan.

    Args:
        resolved: the resolved configuration.
        machines: where training and decoding run.
        figures: those of `load_figures`.

    Attributes:
        unknown: base models whose shape is not known; what they do is not counted.
    """

    def __init__(self, resolved: ResolvedConfig, machines: Machines, figures: dict[str, Figure]) -> None:
        self.amounts = Amounts(resolved.corpus, figures)
        self.unknown: list[str] = []
        self._resolved = resolved
        self._machines = machines
        self._figures = figures
        self._costs = {name: self._cost_of(experiment) for name, experiment in resolved.experiments.items()}

    def cost(self, experiment: str) -> LlastCost | EvaluationOnlyCost | None:
        """Arithmetic of an experiment; None if one of its base models is unknown."""
        return self._costs[experiment]

    def jobs(self) -> Iterator[Job]:
        """All jobs, in the order of the flow."""
        for source in self._resolved.sources:
            yield from self._corpus_jobs(source)
        for base in self._resolved.models.values():
            shape = shape_of(base)
            size = shape.download_gb if shape else 0.0
            yield Job("fetch_model", Path(layout.model_file(base)), disk_gb=size)
        for name, seed in self._resolved.runs:
            trained = name in self._resolved.trained
            of_run = self._run_jobs(name, seed) if trained else self._evaluation_only_jobs(name, seed)
            yield from (replace(job, experiment=name, seed=seed) for job in of_run)
        yield Job("statistics", Path(layout.CORPUS_STATISTICS), core_hours=self._start)
        for stage, file in (("table", layout.TABLE), ("report", layout.REPORT), ("track", layout.TRACK)):
            yield Job(stage, Path(file), core_hours=self._start)

    def training_rows(self, experiment: str) -> tuple[float, float, float]:
        """Rows of the mixture, clips of it, and seconds of those clips, before leakage is dropped."""
        mixture = list(self._mixture(self._resolved.trained[experiment]))
        return (
            sum(rows for _, rows, _ in mixture),
            sum(clips for clips, _, _ in mixture),
            sum(clips * seconds for clips, _, seconds in mixture),
        )

    def steps(self, experiment: str) -> int:
        """Optimiser steps of a training."""
        rows, *_ = self.training_rows(experiment)
        return total_steps(round(rows), self._resolved.trained[experiment].training)

    def _value(self, name: str) -> float:
        return self._figures[name].value

    @property
    def _start(self) -> float:
        return self._value("job_seconds") / 3600

    def _cores(self, seconds: float) -> float:
        return self._start + seconds / 3600

    def _corpus_jobs(self, source: str) -> Iterator[Job]:
        resolved, amounts = self._resolved, self.amounts
        pairs = pairs_from(source, resolved.corpus.pairs)
        rows, hours, archive = amounts.all_rows(source), amounts.hours(source), amounts.archive_bytes(source)
        clips = sum(amounts.clips(source, split) for split in ("train", "dev", "test"))

        def output(stage: str) -> Path:
            return Path(resolved.corpus_summary(stage, source))

        if resolved.synthetic:
            cost = self._cores(clips / self._value("synthesize_speed"))
            yield Job("synthesize", output("synthesize"), clips, hours, archive / GB, cost)
        downloaded = amounts.download_bytes(source) / GB
        yield Job("fetch", output("fetch"), 1 + len(pairs), 0.0, downloaded, self._start)
        cost = self._cores(
            hours * 3600 / self._value("resample_speed") + archive / self._value("archive_speed")
        )
        stored = 0.0 if resolved.corpus.source.in_place else hours * 3600 * self._value("store_rate") / GB
        yield Job("resample", output("resample"), clips, hours, stored, cost)
        tables = self._cores(rows / self._value("table_speed"))
        size = rows * self._value("table_row") / GB
        yield Job("join", output("join"), rows, 0.0, size, tables)
        yield Job("filter", output("filter"), rows, 0.0, size, tables)

    def _run_jobs(self, name: str, seed: int) -> Iterator[Job]:
        experiment = self._resolved.trained[name]
        folder = layout.run_folder(name, seed)
        rows, _, seconds = self.training_rows(name)
        cost = self._cores(rows / self._value("table_speed"))
        size = rows * self._value("table_row") / GB
        yield Job("mix", Path(layout.mix_summary(folder)), rows, seconds / 3600, size, cost)
        yield self._train_job(name, Path(layout.run_manifest(folder, "train")))
        for checkpoint in self._resolved.checkpoints(name):
            yield from self._evaluation_jobs(name, seed, checkpoint)
        if experiment.baseline in self._resolved.experiments:
            tested = sum(self._evaluated(pair, "test") for pair in experiment.mixture.pairs)
            cost = self._cores(tested / self._value("score_speed"))
            yield Job("compare", Path(layout.comparison(folder)), tested, core_hours=cost)

    def _evaluation_only_jobs(self, name: str, seed: int) -> Iterator[Job]:
        manifest = Path(layout.run_manifest(layout.run_folder(name, seed), "describe"))
        yield Job("describe", manifest, core_hours=self._start)
        yield from self._evaluation_jobs(name, seed, 1)

    def _evaluation_jobs(self, name: str, seed: int, checkpoint: int) -> Iterator[Job]:
        folder = layout.run_folder(name, seed)
        pairs = self._resolved.experiments[name].translates(self._resolved.corpus.pairs)
        for source in source_languages(pairs):
            output = Path(layout.decode_summary(folder, checkpoint, source))
            yield self._decode_job(name, source, pairs_from(source, pairs), output)
        for split in self._resolved.corpus.evaluated:
            scored = sum(self._evaluated(pair, split) for pair in pairs)
            cost = self._cores(scored / self._value("score_speed"))
            output = Path(layout.score_file(folder, checkpoint, split))
            yield Job("score", output, scored, core_hours=cost)

    def _train_job(self, name: str, output: Path) -> Job:
        experiment, cost = self._resolved.trained[name], self._costs[name]
        rows, _, seconds = self.training_rows(name)
        seen = self.steps(name) * experiment.training.rows_per_update
        passes = seen / rows if rows else 0.0
        if not isinstance(cost, LlastCost):
            return Job("train", output, seen, passes * seconds / 3600)
        flops = passes * sum(
            clips
            * cost.training_flops(
                length, rows / clips, self._value("prompt_tokens"), self._value("tokens_per_row")
            )
            for clips, rows, length in self._mixture(experiment)
            if clips
        )
        saved = experiment.training.checkpoints * self._value("adapter_bytes") + 2 * self._value(
            "engine_bytes"
        )
        gpu = self._machines.train_gpus > 0
        return Job(
            "train",
            output,
            seen,
            passes * seconds / 3600,
            cost.trained_parameters * saved / GB,
            0.0 if gpu else flops / self._value("cpu_train_flops") / 3600,
            flops / self._value("gpu_flops") / self._value("gpu_utilisation") / 3600 if gpu else 0.0,
        )

    def _decode_job(self, name: str, source: str, pairs: list[str], output: Path) -> Job:
        experiment, cost = self._resolved.experiments[name], self._costs[name]
        rows = seconds = prefill = decoding = batches = 0.0
        prompt, target = self._value("prompt_tokens"), self._value("tokens_per_row")
        for split in self._resolved.corpus.evaluated:
            counts = [self._evaluated(pair, split) for pair in pairs]
            clips, length = max(counts), self.amounts.seconds(source, split)
            limit = self._resolved.config.asr_rows if experiment.transcribes else 0
            decoded = sum(counts) + (clips if limit is None else min(limit, clips))
            rows += sum(counts)
            seconds += clips * length
            if cost:
                prefill += clips * cost.prefill_flops(length, decoded / clips, prompt)
                decoding += cost.decoding_flops(length, decoded, target)
                batches += cost.batches(length, decoded, prompt, target)
        size = rows * self._value("hypothesis_row") / GB
        if cost is None:
            return Job("decode", output, rows, seconds / 3600, size)
        if self._machines.decode_gpus == 0:
            hours = self._cores((prefill + decoding) / self._value("cpu_decode_flops"))
            return Job("decode", output, rows, seconds / 3600, size, hours)
        # A batch runs until its longest hypothesis ends, about twice the mean; each step costs its launches.
        steps = math.ceil(batches) * 2 * target
        decoding_seconds = max(
            steps * cost.layers_per_token * self._value("decode_layer_seconds"),
            decoding / self._value("gpu_flops"),
        )
        prefill_seconds = prefill / self._value("gpu_flops") / self._value("gpu_utilisation")
        hours = (prefill_seconds + decoding_seconds) / 3600
        return Job("decode", output, rows, seconds / 3600, size, 0.0, hours)

    def _evaluated(self, pair: str, split: str) -> int:
        limit = self._resolved.config.dev_rows if split == "dev" else self._resolved.config.test_rows
        return min(self.amounts.rows(pair, split), limit or self.amounts.rows(pair, split))

    def _mixture(self, experiment: ExperimentConfig) -> Iterator[tuple[float, float, float]]:
        """For each source language: clips that are used, their rows, and their mean seconds."""
        mixture = experiment.mixture
        shares = mixture.tasks
        for source in source_languages(mixture.pairs):
            pairs = pairs_from(source, mixture.pairs)
            clips = max(self.amounts.rows(pair, "train") for pair in pairs)
            step = mixture.en_x_step if source == "en" else 1
            pairs_rows = sum(math.ceil(self.amounts.rows(pair, "train") / step) for pair in pairs)
            rows = (shares.get("st", 0.0) + shares.get("cot", 0.0)) * pairs_rows
            rows += shares.get("asr", 0.0) * clips
            yield min(clips, rows), rows, self.amounts.seconds(source, "train")

    def _cost_of(self, experiment: Experiment) -> LlastCost | EvaluationOnlyCost | None:
        shapes: list[Shape] = []
        for base in experiment.bases.values():
            shape = shape_of(base)
            if shape:
                shapes.append(shape)
            elif base not in self.unknown:
                self.unknown.append(base)
        if len(shapes) < len(experiment.bases) or isinstance(experiment, PretrainedExperiment):
            return None
        if isinstance(experiment, ExperimentConfig):
            return LlastCost(experiment, *shapes)
        return EvaluationOnlyCost(experiment, *shapes)
