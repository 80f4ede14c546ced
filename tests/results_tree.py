"""A results tree in the formats of the steps, small or large, for tests of what is made from it."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llast.artifacts import Summary, write_json
from llast.evaluation.score import score
from llast.languages import pairs_from, source_languages
from llast.results.table import read_runs, table
from llast.training.run_folder import RunFolder, as_line
from tests.runs import training_record

WORDS = "the old house stands by a river and two boats wait for <b>rain</b> & wind".split()


@dataclass(frozen=True)
class Results:
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
            "table": self.folder / "bleu_table.csv",
            "scores": self.folder / "scores.csv",
            "runs": self.runs,
            "corpus": self.corpus,
            "mixes": self.mixes,
            "score_files": self.scores,
        }


def write_results(
    folder: Path,
    pairs: Sequence[str],
    trained: dict[str, Sequence[str]],
    checkpoints: int = 2,
    rows: int = 12,
    synthetic: bool = False,
) -> Results:
    """Write translations, scores, runs and summaries of experiments that differ in the pairs they trained on."""
    draw = random.Random(7)
    runs, mixes, samples, scores = [], [], [], []
    for number, (experiment, own) in enumerate(trained.items()):
        base = folder / experiment / "seed1"
        runs.append(_run(base / "train" / "run.json", experiment, own, number, checkpoints, draw))
        mixes.append(base / "mix" / "summary.json")
        Summary(
            step="mix",
            version=1,
            rows_in=2000,
            rows_out=1990 - 300 * number,
            dropped={"task": 300 * number, "leakage": 10},
        ).write(mixes[-1])
        for checkpoint in range(1, checkpoints + 1):
            translated = []
            for source in source_languages(tuple(pairs)):
                quality = 0.55 + 0.3 * checkpoint / checkpoints - 0.12 * number + draw.uniform(-0.08, 0.08)
                path = base / "decode" / f"checkpoint{checkpoint}" / source / "summary.json"
                details = {
                    "experiment": experiment,
                    "seed": 1,
                    "checkpoint": checkpoint,
                    "step": 150 * checkpoint,
                }
                _translations(path, pairs_from(source, tuple(pairs)), quality, rows, details)
                translated.append(path)
            for split in ("dev", "test"):
                scores.append(base / "score" / f"checkpoint{checkpoint}.{split}.json")
                score(translated, split, scores[-1])
            samples.extend(translated)
    table(read_runs(runs, scores), folder)
    return Results(folder, runs, _corpus(folder, pairs, synthetic), mixes, samples, scores)


def _translations(
    path: Path, pairs: Sequence[str], quality: float, rows: int, details: dict[str, Any]
) -> None:
    described: dict[str, dict[str, Any]] = {pair: {} for pair in pairs}
    for pair in pairs:
        for split in ("dev", "test"):
            truth, noise = random.Random(f"{pair} {split}"), random.Random(f"{pair} {split} {details}")
            lines = []
            for i in range(rows):
                words = truth.choices(WORDS, k=8)
                hypothesis = [word if noise.random() < quality else noise.choice(WORDS) for word in words]
                reference, text = " ".join(words).capitalize() + ".", " ".join(hypothesis) + "."
                lines.append({"clip": f"{pair}_{split}_{i:04}", "sentence": f"“{reference}”", "reference": reference,
                              "hypothesis": text, "seconds": 2.0})  # fmt: skip
            name = f"{pair}.{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / name).write_text(
                "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
            )
            described[pair][split] = {"rows": rows, "expected": rows + (pair == "de_en"), "file": name}
    Summary(
        step="decode", version=1, rows_in=rows, rows_out=rows, details={**details, "pairs": described}
    ).write(path)


def _run(
    path: Path, experiment: str, pairs: Sequence[str], number: int, checkpoints: int, draw: random.Random
) -> Path:
    steps = 150 * checkpoints
    metrics = RunFolder(path.parent / "abc").metrics
    metrics.parent.mkdir(parents=True)
    lines = [
        as_line(
            training_record(
                step,
                1.76e9 + step,
                loss=(3 + number) * math.exp(-step / 90) + 0.3 + draw.uniform(0, 0.2),
                learning_rate=2e-3 * min(step / 20, 0.5 + 0.5 * math.cos(math.pi * step / steps)),
                target_tokens_per_s=900.0 + step % 7,
                dev_loss=None if step % 150 else 0.8,
            )
        )
        for step in range(1, steps + 1)
    ]
    metrics.write_text("".join(lines) + '{"step": 3', encoding="utf-8")
    lora = None if number else {"rank": 32, "alpha": 64.0}
    write_json(
        path,
        {
            "step_version": 1, "experiment": experiment, "seed": 1, "spec_hash": "abc", "folder": "abc",
            "trained_pairs": list(pairs), "steps": steps, "world_size": 2, "seconds": 181.5,
            "checkpoints": [],
            "options": {
                "encoder": {"base": "./bases/whisper", "window": "clip", "lora": lora},
                "adaptor": {"stack": 4},
                "llm": {"base": "./bases/llama", "lora": lora},
                "mixture": {"pairs": list(pairs), "tasks": {"st": 1.0, "asr": 1.0}},
                "training": {"learning_rate": 2e-3},
                "decoding": {"num_beams": 1},
            },
            "environment": {"python": "3.11"},
        },
    )  # fmt: skip
    return path


def _corpus(folder: Path, pairs: Sequence[str], synthetic: bool) -> list[Path]:
    paths = []
    for source in source_languages(tuple(pairs)):
        steps = [
            Summary(
                step="resample",
                version=1,
                rows_in=1046,
                rows_out=1040,
                dropped={"missing": 2, "undecodable": 4},
            ),
            Summary(step="join", version=1, rows_in=1060, rows_out=1046, dropped={"label": 14}),
            Summary(
                step="filter", version=1, rows_in=1046, rows_out=1037, dropped={"no_audio": 6, "remove": 3}
            ),
        ]
        if synthetic:
            steps.insert(0, Summary(step="synthesize", version=1, rows_in=1060, rows_out=1060))
        for summary in steps:
            paths.append(folder / "corpus" / summary.step / source / "summary.json")
            summary.write(paths[-1])
    return paths
