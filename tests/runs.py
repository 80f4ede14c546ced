"""Files of runs, as steps write them, for tests of what is made from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts.run import Run, RunCheckpoint
from llast.artifacts.scores import MetricScore, PairScores, ScoreFile
from llast.artifacts.summaries import Split
from llast.artifacts.training import TrainingRecord
from llast.config.experiment import (
    AdaptorOptions,
    EncoderOptions,
    LlmOptions,
    LoraOptions,
    MixtureOptions,
    TrainingOptions,
)
from llast.config.steps import TrainSpec
from llast.corpus.official import official_table

SPLITS: tuple[Split, ...] = ("dev", "test")


def training_record(step: int, time: float | None = None, **more: Any) -> TrainingRecord:
    """The record of a training step; `more` are its fields."""
    fields: dict[str, Any] = {
        "time": 1_763_870_000.0 + step if time is None else time,
        "loss": 100 / (step + 9),
        "learning_rate": 1e-4,
        "grad_norm": 1.0,
        "target_tokens_per_s": 900.0,
        "tokens_per_s": 3000.0,
        "rows_per_s": 30.0,
        "seconds": 1.0,
        "wait_s": 0.0,
        "rows": 32,
        "epoch": step / 100,
        "cpu_percent": 75.0,
        "memory_mb": 4096.0,
    }
    return TrainingRecord(step=step, **(fields | more))


def trained_run(
    experiment: str = "tiny",
    seed: int = 1,
    pairs: Sequence[str] = ("fr_en",),
    lora: LoraOptions | None = None,
    **more: Any,
) -> Run:
    """A run of an experiment that is trained on these pairs; `more` are fields of `Run`."""
    options = TrainSpec(
        encoder=EncoderOptions(base="./bases/whisper", window="clip", lora=lora),
        adaptor=AdaptorOptions(stack=4),
        llm=LlmOptions(base="./bases/llama", lora=lora),
        mixture=MixtureOptions(pairs=list(pairs)),
        training=TrainingOptions(),
    )
    fields: dict[str, Any] = {
        "identity": "abc",
        "folder": "abc",
        "trained_pairs": list(pairs),
        "checkpoints": [RunCheckpoint(checkpoint=1, step=150, folder="abc/checkpoints/step-000150")],
        "options": options,
    }
    return Run(experiment=experiment, seed=seed, **(fields | more))


def on_official_sets(scores: Sequence[Path]) -> None:
    """Change test score files as if they were of all rows of CoVoST-2's test sets."""
    for path in scores:
        file = ScoreFile.read(path)
        if file.split == "test":
            pairs = {}
            for pair, scored in file.pairs.items():
                rows = int(official_table()[pair]["test"])
                pairs[pair] = scored.model_copy(update={"rows": rows, "expected": rows})
            file.model_copy(update={"pairs": pairs}).write(path)


@dataclass(frozen=True)
class ScoredRun:
    """A `run.json` and score files."""

    run: Path
    scores: list[Path]


Bleu = dict[str, float | None]  # by pair; None: a pair without rows


def score_file(experiment: str, checkpoint: int, split: Split, bleu: Bleu, seed: int = 1) -> ScoreFile:
    """A score file with the given cased BLEU by pair; other metrics follow from it."""
    return ScoreFile(
        experiment=experiment,
        seed=seed,
        checkpoint=checkpoint,
        step=50 * checkpoint,
        split=split,
        pairs={
            pair: PairScores(
                metrics={}
                if value is None
                else {
                    "bleu": MetricScore(
                        value=value, signature="tok:13a", interval=(max(0, value - 1), min(100, value + 2))
                    ),
                    "bleu_lc": MetricScore(value=value + 0.5, signature="case:lc"),
                    "chrf2": MetricScore(value=min(100, value + 20), signature="nc:6"),
                },
                rows=0 if value is None else 98,
                expected=100 if pair == "de_en" else 98,
            )
            for pair, value in bleu.items()
        },
    )


def scored_run(
    folder: Path,
    experiment: str,
    trained: Sequence[str],
    dev: Sequence[Bleu],
    test: Sequence[Bleu],
    seed: int = 1,
) -> ScoredRun:
    """A run with one entry of `dev` and `test` per checkpoint."""
    run = folder / f"{experiment}.{seed}.run.json"
    trained_run(experiment, seed, trained).write(run)
    scores = []
    of_splits: tuple[tuple[Split, Sequence[Bleu]], ...] = (("dev", dev), ("test", test))
    for split, checkpoints in of_splits:
        for number, bleu in enumerate(checkpoints, 1):
            scores.append(folder / f"{experiment}.{seed}.{number}.{split}.json")
            score_file(experiment, number, split, bleu, seed).write(scores[-1])
    return ScoredRun(run, scores)
