"""Scoring test hypotheses of all 36 pairs, with intervals, against sacreBLEU's command line pair by pair."""

import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from record import Measured, main, peak_mib, run

from llast.artifacts import Summary
from llast.corpus.join import official_table
from llast.demo.phrasebook import PHRASES
from llast.evaluation.score import score
from llast.languages import PAIRS, language, pairs_from, source_languages, split_pair

TARGET_S = 240.0
REDUCED = 20
"""The reduced size is this part of the official test sets."""


def measure(full: bool) -> list[Measured]:
    """Random sentences over each language's words, about as long as CoVoST-2's, seven words of ten right."""
    part = 1 if full else REDUCED
    workers = min(2, len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        official = official_table()
        sizes = {pair: max(20, int(official[pair]["test"]) // part) for pair in PAIRS}
        translated = [_translated(folder / source, source, sizes) for source in source_languages(PAIRS)]
        started = time.perf_counter()
        score(translated, "test", folder / "score.json", workers=workers)
        ours = time.perf_counter() - started
        theirs = sum(_command_line(folder, pair) for pair in PAIRS)
    rows = sum(sizes.values())
    return [
        Measured(
            "score",
            f"all 36 pairs, {rows:,} test rows{'' if full else f' (a {REDUCED}th of the official sets)'}, cased and "
            f"lower-cased BLEU with intervals, chrF2, faults and samples on {workers} cores; sacreBLEU's command line "
            "computes the first three, one process a pair",
            ours,
            "s",
            theirs,
            "sacrebleu CLI, three calls a pair",
            TARGET_S / part,
            "target" if full else f"a {REDUCED}th of the target",
            lower_is_better=True,
            rates={"score_speed": rows / ours / workers},
        ),
        Measured("score_memory", "memory of the largest process", peak_mib(), "MiB", lower_is_better=True),
    ]


def _translated(folder: Path, source: str, sizes: dict[str, int]) -> Path:
    described: dict[str, Any] = {}
    for pair in pairs_from(source, PAIRS):
        draw = random.Random(pair)
        target = language(split_pair(pair)[1])
        texts = PHRASES[target.code]
        units = [u for text in texts for u in (text.split() if target.spaced else text)]
        joint = " " if target.spaced else ""
        lines = []
        for i in range(sizes[pair]):
            words = draw.choices(units, k=draw.randint(5, 15) * (1 if target.spaced else 2))
            said = [word if draw.random() < 0.7 else draw.choice(units) for word in words]
            record = {"clip": f"{pair}{i}", "sentence": PHRASES[source][i % len(PHRASES[source])]}
            lines.append(
                record
                | {"reference": joint.join(words), "hypothesis": joint.join(said), "seconds": len(words) / 2}
            )
        folder.mkdir(exist_ok=True)
        name = f"{pair}.test.jsonl"
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        for field in ("reference", "hypothesis"):
            text = "".join(line[field] + "\n" for line in lines)
            (folder.parent / f"{pair}.{field}").write_text(text, encoding="utf-8")
        described[pair] = {"test": {"rows": len(lines), "expected": len(lines), "file": name}}
    details = {"experiment": "x", "seed": 1, "checkpoint": 1, "step": 1, "pairs": described}
    Summary(step="translate", version=1, rows_in=0, rows_out=0, details=details).write(
        folder / "summary.json"
    )
    return folder / "summary.json"


def _command_line(folder: Path, pair: str) -> float:
    tokenizer = language(split_pair(pair)[1]).bleu_tokenizer
    bleu = ["-m", "bleu", "-tok", tokenizer, "--confidence"]
    files = [str(folder / f"{pair}.reference"), "-i", str(folder / f"{pair}.hypothesis"), "-b"]
    calls = (bleu, [*bleu, "--lowercase"], ["-m", "chrf"])
    return sum(run(["sacrebleu", *files, *call]).seconds for call in calls)


if __name__ == "__main__":
    main(measure)
