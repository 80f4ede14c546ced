"""Reading training batches: rows a second of one core against what a GPU trains, and what a training waits for them."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from record import ROOT, Measured, in_turn, main, run
from training.released import micro_batches
from training.rows import ENGLISH_CLIPS, OTHER_CLIPS, TARGETS, paper_mix

from llast.config.load import load_trained
from llast.config.steps import TrainSpec
from llast.demo.phrasebook import PHRASES
from llast.model.processing import LlastProcessor
from llast.planning.cost import LlastCost, shape_of
from llast.planning.figures import load_figures
from llast.training.dataset import TrainingRows
from llast.training.loader import Loader
from llast.training.run_folder import RunFolder
from llast.training.sampler import UpdateSampler

BASES = ROOT / "llast" / "demo" / "base_models"
MELS = 80
TARGET_WAIT = 2.0


def measure(full: bool) -> list[Measured]:
    """The loader alone on one core, then beside a training on all."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # before any pool of threads is started
    torch.set_num_threads(1)
    rows = 2048 if full else 512
    with tempfile.TemporaryDirectory() as name:
        words = sorted({word for text in PHRASES["en"] for word in text.split()})
        mix, audio = paper_mix(Path(name), rows, words)
        return [
            _alone(mix, audio, 3),
            _beside(mix, audio, Path(name), 100 if full else 40, cores),
        ]


def _alone(mix: Path, audio: Sequence[Path], rounds: int) -> Measured:
    def opened() -> TrainingRows:
        return TrainingRows(mix, list(audio), LlastProcessor.from_llm(BASES / "llama", "tinyllama"), 1)

    def ours() -> None:
        rows = opened()
        sampler = UpdateSampler(rows.clip_of_row, 256, seed=1)
        loader = Loader(rows, sampler, rank=0, ranks=1, budget=16_384, packed=True)
        assert sum(1 for _ in loader.updates(0, sampler.per_epoch)) == sampler.per_epoch

    def released() -> None:
        rows = opened()
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        micro_batches(rows, order, MELS)

    count = len(opened())
    seconds = in_turn({"ours": ours, "released": released}, rounds)
    return Measured(
        "loader",
        f"one core decodes, tokenises and lays out the batches of {count:,} rows faster than an H100 trains LLaST-2B "
        "on them by the assumptions of `llast plan` (mels are made on the GPU)",
        count / seconds["ours"],
        "rows/s",
        count / seconds["released"],
        "a row at a time, padded to 30 s, mels on the CPU, as released",
        target=_rows_of_a_gpu(),
        rounds=rounds,
    )


def _rows_of_a_gpu() -> float:
    """Rows a second of LLaST-2B with the window `clip`, on a GPU as `llast plan` takes it."""
    experiment = load_trained("llast-2b", ROOT / "config")
    encoder = experiment.encoder.model_copy(update={"window": "clip"})
    experiment = experiment.model_copy(update={"encoder": encoder})
    shapes = shape_of(experiment.encoder.base), shape_of(experiment.llm.base)
    if shapes[0] is None or shapes[1] is None:
        raise RuntimeError("llast-2b has no known base models")
    figures = load_figures(Path("none but the shipped ones"))
    english = len(TARGETS["en"]) * ENGLISH_CLIPS
    rows = (english + len(TARGETS["fr"]) * OTHER_CLIPS) / (ENGLISH_CLIPS + OTHER_CLIPS)
    prompt, target = figures["prompt_tokens"].value, figures["tokens_per_row"].value
    flops = LlastCost(experiment, shapes[0], shapes[1]).training_flops(5.0, rows, prompt, target) / rows
    return figures["gpu_flops"].value * figures["gpu_utilisation"].value / flops


def _beside(mix: Path, audio: Sequence[Path], folder: Path, steps: int, cores: Sequence[int]) -> Measured:
    """The wait as the training itself has it on record, without its first step, which nothing was read ahead for."""
    experiment = load_trained("demo-llast", ROOT / "config", ["fr_en"])
    spec: dict[str, Any] = {
        name: value for name, value in experiment.model_dump().items() if name in TrainSpec.model_fields
    }
    spec["training"] |= {"max_steps": steps, "epochs": None}
    options = TrainSpec.model_validate(spec).model_dump_json()
    all_cores = ["taskset", "--cpu-list", ",".join(map(str, cores))]
    run(
        [
            *all_cores, sys.executable, "-m", "llast", "train", "--experiment", "loader", "--seed", "1",
            "--mix", str(mix), "--audio", *map(str, audio), "--encoder", str(BASES / "whisper"),
            "--llm", str(BASES / "llama"), "--output", str(folder / "run" / "run.json"), "--tasks-per-node", "2",
            "--threads", "1", "--options", options,
        ]
    )  # fmt: skip
    (path,) = (folder / "run").glob("*/metrics.jsonl")
    records = RunFolder(path.parent).records()[1:]
    assert len(records) == steps - 1
    waited = sum(record.wait_s for record in records)
    return Measured(
        "loader_wait",
        f"a training of the demo's size, which is quick, does not wait for its batches ({steps} steps, two ranks on "
        "two cores)",
        100 * waited / sum(record.seconds for record in records),
        "%",
        target=TARGET_WAIT,
        lower_is_better=True,
    )


if __name__ == "__main__":
    main(measure)
