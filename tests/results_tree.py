"""A results tree in the formats of the steps, small or large, for tests of what is made from it."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import Summary
from llast.artifacts.corpus import (
    FilterDetails,
    FilterSummary,
    JoinDetails,
    JoinSummary,
    Leakage,
    MixDetails,
    MixSummary,
    ResampleDetails,
    ResampleSummary,
    SynthesizeDetails,
    SynthesizeSummary,
)
from llast.artifacts.hypotheses import Hypothesis, write_hypotheses
from llast.artifacts.summaries import DecodeDetails, DecodeSummary, Hypotheses, Split
from llast.config.experiment import LoraOptions
from llast.evaluation.score import score
from llast.languages import pairs_from, source_languages
from llast.results.table import table
from llast.training.run_folder import RunFolder, as_line
from tests.runs import SPLITS, trained_run, training_record

WORDS = "the old house stands by a river and two boats wait for <b>rain</b> & wind".split()


@dataclass(frozen=True)
class ResultsTree:
    """Paths of a results tree, as the report takes them."""

    folder: Path
    runs: list[Path]
    corpus: list[Path]
    mixes: list[Path]
    samples: list[Path]
    scores: list[Path]

    def report_inputs(self) -> dict[str, Any]:
        """Arguments of `report`, but for the output."""
        return {
            "runs": self.runs,
            "corpus": self.corpus,
            "mixes": self.mixes,
            "scores": self.scores,
        }


def write_results(
    folder: Path,
    pairs: Sequence[str],
    trained: dict[str, Sequence[str]],
    checkpoints: int = 2,
    rows: int = 12,
    synthetic: bool = False,
) -> ResultsTree:
    """Write translations, scores, runs and summaries of experiments that differ in the pairs they trained on."""
    draw = random.Random(7)
    runs, mixes, samples, scores = [], [], [], []
    for number, (experiment, own) in enumerate(trained.items()):
        base = folder / experiment / "seed1"
        runs.append(_run(base / "train" / "run.json", experiment, own, number, checkpoints, draw))
        mixes.append(base / "mix" / "summary.json")
        leakage = Leakage(mode="drop", rows=10, directions={})
        MixSummary(
            version=1,
            rows_in=2000,
            rows_out=1990 - 300 * number,
            dropped={"task": 300 * number, "leakage": 10},
            details=MixDetails(tasks={}, pairs={}, asr={}, repeated=0, clips=0, dev_rows=0, leakage=leakage),
        ).write(mixes[-1])
        for checkpoint in range(1, checkpoints + 1):
            translated = []
            for source in source_languages(tuple(pairs)):
                quality = 0.55 + 0.3 * checkpoint / checkpoints - 0.12 * number + draw.uniform(-0.08, 0.08)
                path = base / "decode" / f"checkpoint{checkpoint}" / source / "summary.json"
                details = DecodeDetails(
                    experiment=experiment, seed=1, checkpoint=checkpoint, step=150 * checkpoint, pairs={}
                )
                _translations(path, pairs_from(source, tuple(pairs)), quality, rows, details)
                translated.append(path)
            for split in SPLITS:
                scores.append(base / "score" / f"checkpoint{checkpoint}.{split}.json")
                score(translated, split, scores[-1])
            samples.extend(translated)
    table(runs, scores, folder)
    return ResultsTree(folder, runs, _corpus(folder, pairs, synthetic), mixes, samples, scores)


def _translations(
    path: Path, pairs: Sequence[str], quality: float, rows: int, details: DecodeDetails
) -> None:
    described: dict[str, dict[Split, Hypotheses]] = {pair: {} for pair in pairs}
    for pair in pairs:
        for split in SPLITS:
            seed = f"{pair} {split} {details.experiment} {details.checkpoint}"
            truth, noise = random.Random(f"{pair} {split}"), random.Random(seed)
            hypotheses = []
            for i in range(rows):
                words = truth.choices(WORDS, k=8)
                said = [word if noise.random() < quality else noise.choice(WORDS) for word in words]
                reference = " ".join(words).capitalize() + "."
                hypotheses.append(
                    Hypothesis(
                        clip=f"{pair}_{split}_{i:04}",
                        sentence=f"“{reference}”",
                        reference=reference,
                        hypothesis=" ".join(said) + ".",
                        seconds=2.0,
                    )
                )
            name = f"{pair}.{split}.jsonl"
            write_hypotheses(path.parent / name, hypotheses)
            described[pair][split] = Hypotheses(file=name, rows=rows, expected=rows + (pair == "de_en"))
    DecodeSummary(
        version=1, rows_in=rows, rows_out=rows, details=details.model_copy(update={"pairs": described})
    ).write(path)


def _run(
    path: Path, experiment: str, pairs: Sequence[str], number: int, checkpoints: int, draw: random.Random
) -> Path:
    steps = 150 * checkpoints
    records = [
        training_record(
            step,
            time=1.76e9 + step,
            loss=(3 + number) * math.exp(-step / 90) + 0.3 + draw.uniform(0, 0.2),
            learning_rate=2e-3 * min(step / 20, 0.5 + 0.5 * math.cos(math.pi * step / steps)),
            target_tokens_per_s=900.0 + step % 7,
            dev_loss=0.8 if step % 150 == 0 else None,
        )
        for step in range(1, steps + 1)
    ]
    metrics = RunFolder(path.parent / "abc").metrics
    metrics.parent.mkdir(parents=True)
    metrics.write_text("".join(map(as_line, records)) + '{"step": 3', encoding="utf-8")
    lora = None if number else LoraOptions(rank=32, alpha=64)
    run = trained_run(experiment, 1, pairs, lora, steps=steps, world_size=2, seconds=181.5)
    run.write(path)
    return path


def _corpus(folder: Path, pairs: Sequence[str], synthetic: bool) -> list[Path]:
    paths = []
    for source in source_languages(tuple(pairs)):
        stored = ResampleDetails(store="store", audio="audio", seconds=1.0, quarantine=[])
        joined = JoinDetails(counts={}, labels={}, lost={}, official={}, short_rows={})
        steps: list[Summary] = [
            ResampleSummary(
                version=1,
                rows_in=1046,
                rows_out=1040,
                dropped={"missing": 2, "undecodable": 4},
                details=stored,
            ),
            JoinSummary(version=1, rows_in=1060, rows_out=1046, dropped={"label": 14}, details=joined),
            FilterSummary(
                version=1,
                rows_in=1046,
                rows_out=1037,
                dropped={"no_audio": 6, "remove": 3},
                details=FilterDetails(pairs={}),
            ),
        ]
        if synthetic:
            made = SynthesizeDetails(source=source, pairs=[], clean={}, dirt={}, speech_seconds=1.0)
            steps.insert(0, SynthesizeSummary(version=1, rows_in=1060, rows_out=1060, details=made))
        for summary in steps:
            paths.append(folder / "corpus" / summary.step / source / "summary.json")
            summary.write(paths[-1])
    return paths
