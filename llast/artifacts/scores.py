"""Score files: every metric of one checkpoint on one split."""

from typing import Literal, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from llast.artifacts.base import Artifact, Typed
from llast.artifacts.summaries import Split
from llast.config.base import Language, Pair

SampleKind = Literal["drawn", "worst", "best"]


class MetricScore(Typed):
    """A score with what makes it comparable.

    Attributes:
        value: on the metric's own scale.
        signature: settings and version of the scorer.
        interval: 95 % interval, where one was computed.
    """

    value: float
    signature: str
    interval: tuple[float, float] | None = None


class LengthScore(Typed):
    """Cased BLEU of the clips of one class of lengths, from `shortest` up to below `longest` seconds (None: any)."""

    shortest: float
    longest: float | None
    bleu: float
    rows: int


class Sample(Typed):
    """A row to read; `chrf2` is of this sentence, `seconds` the length of the clip."""

    clip: str
    sentence: str
    reference: str
    hypothesis: str
    seconds: float
    chrf2: float


class SetScores(Typed):
    """Scores of one set of hypotheses.

    Attributes:
        metrics: by name of `llast.evaluation.metrics`; None where there is nothing to score.
        rows: rows that were scored.
        expected: rows of the set; those without audio, or that were not drawn, have no hypothesis.
    """

    metrics: dict[str, MetricScore | None]
    rows: NonNegativeInt
    expected: NonNegativeInt

    @property
    def scored(self) -> dict[str, MetricScore]:
        """The metrics that have a score."""
        return {name: score for name, score in self.metrics.items() if score is not None}


class PairScores(SetScores):
    """Scores of the translations of a pair.

    Attributes:
        faults: hypotheses by fault, see `llast.evaluation.faults`.
        by_seconds: cased BLEU by length of the clip, where a class has enough rows.
        samples: rows to read.
    """

    faults: dict[str, NonNegativeInt] = {}
    by_seconds: list[LengthScore] = []
    samples: dict[SampleKind, list[Sample]] = {}

    @model_validator(mode="after")
    def _rows_have_a_score(self) -> Self:
        if ("bleu" not in self.metrics) if self.rows else self.scored:
            raise ValueError(f"{self.rows} rows, and metrics {list(self.metrics)}")
        return self


class ScoreFile(Artifact):
    """What the step score writes.

    Attributes:
        experiment: name of the experiment.
        seed: seed of the run.
        checkpoint: number of the checkpoint, from 1.
        step: its optimiser step.
        average_last: how many checkpoints up to it were averaged.
        split: `dev` or `test`.
        pairs: scores of translations.
        transcripts: scores of transcripts by spoken language.
    """

    WRITTEN_BY = "score"

    format: int = 3
    experiment: str
    seed: NonNegativeInt
    checkpoint: PositiveInt
    step: NonNegativeInt
    average_last: PositiveInt = 1
    split: Split
    pairs: dict[Pair, PairScores]
    transcripts: dict[Language, SetScores] = {}
