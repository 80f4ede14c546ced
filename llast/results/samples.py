"""Sentences to read: the samples that `score` keeps of each pair, gathered over runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from llast.artifacts.scores import SampleKind
from llast.languages import PAIRS
from llast.results.checkpoints import Checkpoint

SAMPLE_KINDS: tuple[SampleKind, ...] = get_args(SampleKind)
RunKey = tuple[str, int]  # experiment and seed


@dataclass(frozen=True)
class SampleRow:
    """A test row with its hypothesis by run; `chrf2` of each is sentence-level, `seconds` the clip's length."""

    clip: str
    sentence: str
    reference: str
    seconds: float
    hypotheses: dict[RunKey, str]
    chrf2: dict[RunKey, float]


def gather_samples(chosen: Sequence[Checkpoint], kind: SampleKind) -> dict[str, list[SampleRow]]:
    """Samples of one kind by pair; a clip that several runs have stands once."""
    found: dict[str, dict[str, SampleRow]] = {}
    for checkpoint in chosen:
        for pair, scores in checkpoint.test.items():
            for sample in scores.samples.get(kind, []):
                new = SampleRow(sample.clip, sample.sentence, sample.reference, sample.seconds, {}, {})
                row = found.setdefault(pair, {}).setdefault(sample.clip, new)
                row.hypotheses[checkpoint.run.key] = sample.hypothesis
                row.chrf2[checkpoint.run.key] = sample.chrf2
    return {pair: list(found[pair].values()) for pair in PAIRS if pair in found}
