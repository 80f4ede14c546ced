"""Comparison files: an experiment against its baseline, pair by pair."""

from typing import Literal

from llast.artifacts.base import Artifact, Typed
from llast.config.base import Pair


class ComparedPair(Typed):
    """Both systems on the test rows that both translated.

    Attributes:
        bleu: of the experiment.
        baseline_bleu: of the baseline.
        difference: the former less the latter.
        p: of the difference, by paired bootstrap.
        p_holm: after Holm's correction for the number of pairs.
        significant: whether that is below the level.
        rows: rows that both translated.
        signature: of sacreBLEU.
    """

    bleu: float
    baseline_bleu: float
    difference: float
    p: float
    p_holm: float
    significant: bool
    rows: int
    signature: str


class ComparedCheckpoint(Typed):
    """A checkpoint that dev has chosen."""

    experiment: str
    seed: int
    checkpoint: int


class Comparison(Artifact):
    """What the step compare writes.

    Attributes:
        experiment: name of the experiment.
        seed: its seed.
        checkpoint: its chosen checkpoint.
        baseline: what it is compared with.
        test: the test in words.
        correction: the correction in words.
        case: the BLEU that was compared.
        pairs: results by pair.
    """

    WRITTEN_BY = "compare"

    format: int = 2
    experiment: str
    seed: int
    checkpoint: int
    baseline: ComparedCheckpoint
    test: str
    correction: str
    case: Literal["cased", "lower"]
    pairs: dict[Pair, ComparedPair]

    @property
    def key(self) -> tuple[str, int]:
        """Experiment and seed."""
        return self.experiment, self.seed
