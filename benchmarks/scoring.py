"""Scoring test hypotheses of all 36 pairs, with intervals, against sacreBLEU's command line pair by pair."""

import json
import random
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from record import Measured, Ran, in_turn, main, run

from llast.artifacts.summaries import DecodeDetails, DecodeSummary, Hypotheses
from llast.corpus.official import official_table
from llast.demo.phrasebook import PHRASES
from llast.languages import PAIRS, language, pairs_from, source_languages, split_pair

TARGET_S, TARGET_MIB = 240.0, 2000.0
WORKERS = 2
REDUCED = 40
"""The reduced size is this part of the official test sets."""


def measure(full: bool) -> list[Measured]:
    """Random sentences over each language's words, about as long as CoVoST-2's, seven words of ten right."""
    part, rounds = (1, 1) if full else (REDUCED, 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        official = official_table()
        sizes = {pair: max(20, int(official[pair]["test"]) // part) for pair in PAIRS}
        translated = [str(_translated(folder / source, source, sizes)) for source in source_languages(PAIRS)]
        step = ["score", "--translated", *translated, "--split", "test", "--workers", str(WORKERS)]
        command = [sys.executable, "-m", "llast", *step, "--output", str(folder / "score.json")]
        ours: list[Ran] = []
        by_hand: list[Ran] = []

        def theirs() -> None:
            with ThreadPoolExecutor(WORKERS) as at_once:
                calls = (call for pair in PAIRS for call in _command_line(folder, pair))
                by_hand.extend(at_once.map(run, calls))

        seconds = in_turn(
            {"ours": lambda: ours.append(run(command)), "theirs": theirs}, rounds, warm_up=False
        )
    rows = sum(sizes.values())
    return [
        Measured(
            "score",
            f"all 36 pairs, {rows:,} test rows{'' if full else f' (a {REDUCED}th of the official sets)'}, cased and "
            f"lower-cased BLEU with intervals, chrF2, faults and samples in minutes; sacreBLEU's command line computes "
            f"the first three, a process for each and pair; both {WORKERS} processes at a time",
            seconds["ours"],
            "s",
            seconds["theirs"],
            "sacrebleu CLI, three calls a pair",
            target=TARGET_S if full else None,
            rounds=rounds,
            lower_is_better=True,
            rates={"score_speed": rows / statistics.median(took.cpu_seconds for took in ours)},
        ),
        Measured(
            "score_memory",
            "the largest process of scoring fits a worker of the rule `score` in profiles/slurm",
            max(took.peak_mib for took in ours),
            "MiB",
            max(took.peak_mib for took in by_hand),
            "sacrebleu CLI",
            target=TARGET_MIB,
            rounds=rounds,
            lower_is_better=True,
        ),
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
        described[pair] = {"test": Hypotheses(rows=len(lines), expected=len(lines), file=name)}
    details = DecodeDetails(experiment="x", seed=1, checkpoint=1, step=1, pairs=described)
    DecodeSummary(version=1, rows_in=0, rows_out=0, details=details).write(folder / "summary.json")
    return folder / "summary.json"


def _command_line(folder: Path, pair: str) -> list[list[str]]:
    tokenizer = language(split_pair(pair)[1]).bleu_tokenizer
    bleu = ["-m", "bleu", "-tok", tokenizer, "--confidence"]
    program = str(Path(sys.executable).parent / "sacrebleu")
    files = [program, str(folder / f"{pair}.reference"), "-i", str(folder / f"{pair}.hypothesis"), "-b"]
    return [[*files, *bleu], [*files, *bleu, "--lowercase"], [*files, "-m", "chrf"]]


if __name__ == "__main__":
    main(measure)
