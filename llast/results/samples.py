"""Sentences to read: the samples that `score` keeps of each pair, gathered over runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from llast.results.checkpoints import CheckpointScores
from llast.languages import PAIRS

Run = tuple[str, int]  # experiment and seed


@dataclass(frozen=True)
class Sample:
    """A test row with its hypothesis by run; `chrf2` of each is sentence-level, `seconds` the clip's length."""

    clip: str
    sentence: str
    reference: str
    seconds: float
    hypotheses: dict[Run, str]
    chrf2: dict[Run, float]


def gather_samples(chosen: Sequence[CheckpointScores], kind: str) -> dict[str, list[Sample]]:
    """Samples of one kind (`drawn`, `worst` or `best`) by pair; a clip that several runs have stands once."""
    found: dict[str, dict[str, Sample]] = {}
    for row in chosen:
        run = row.run.experiment, row.run.seed
        for pair, scores in row.splits.get("test", {}).items():
            for record in scores.get("samples", {}).get(kind, []):
                sample = found.setdefault(pair, {}).setdefault(
                    record["clip"],
                    Sample(
                        record["clip"], record["sentence"], record["reference"], record["seconds"], {}, {}
                    ),
                )
                sample.hypotheses[run] = record["hypothesis"]
                sample.chrf2[run] = record["chrf2"]
    return {pair: list(found[pair].values()) for pair in PAIRS if pair in found}
