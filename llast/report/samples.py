"""A few test sentences per pair, as every experiment translated them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import read_summary
from llast.languages import PAIRS
from llast.report.inputs import Row

SAMPLES_PER_PAIR = 3


@dataclass(frozen=True)
class Sample:
    """A test row and its hypothesis by run (experiment, seed)."""

    clip: str
    sentence: str
    reference: str
    hypotheses: dict[tuple[str, int], str]


def read_samples(translated: Iterable[Path], chosen: Iterable[Row]) -> dict[str, list[Sample]]:
    """Samples by pair, out of those translations that belong to a chosen checkpoint.

    The same rows for every run, drawn by a hash of the clip's name, so that neither good nor bad ones are picked.
    """
    checkpoints = {(*row.run, row.checkpoint) for row in chosen}
    samples: dict[str, dict[str, Sample]] = {}
    for path in translated:
        details = read_summary(path).details
        run = details["experiment"], details["seed"]
        if (*run, details["checkpoint"]) not in checkpoints:
            continue
        for pair, splits in details["pairs"].items():
            if "test" not in splits:
                continue
            for record in _draw(path.parent / splits["test"]["file"]):
                sample = Sample(record["clip"], record["sentence"], record["reference"], {})
                samples.setdefault(pair, {}).setdefault(sample.clip, sample).hypotheses[run] = record[
                    "hypothesis"
                ]
    return {
        pair: sorted(samples[pair].values(), key=lambda sample: _order(sample.clip))[:SAMPLES_PER_PAIR]
        for pair in PAIRS
        if pair in samples
    }


def _draw(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="\n") as lines:
        records = [json.loads(line) for line in lines]
    return sorted(records, key=lambda record: _order(record["clip"]))[:SAMPLES_PER_PAIR]


def _order(clip: str) -> str:
    return hashlib.sha256(clip.encode()).hexdigest()
