"""What a metric is: one entry that scoring, tables, report and MLflow go through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import MetricScore
from llast.config.steps import ScoreOptions
from llast.languages import Language


@dataclass(frozen=True)
class Metric:
    """A metric over a set of hypotheses.

    Attributes:
        name: in score files, `scores.csv` and MLflow.
        title: for people.
        of: what it scores: `translations` of a pair, or `transcripts` of a language.
        compute: the score of at least one row, given the language of the references and the options of the step
            score; None where the metric does not apply to them.
        scale: what its values are, in words.
        limits: least and largest value; None: any.
        higher_is_better: its direction.
        digits: after the point, for people.
    """

    name: str
    title: str
    of: Literal["translations", "transcripts"]
    compute: Callable[[Sequence[Hypothesis], Language, ScoreOptions], MetricScore | None]
    scale: str
    limits: tuple[float | None, float | None] = (0, None)
    higher_is_better: bool = True
    digits: int = 1

    def takes(self, value: float) -> bool:
        """Whether a value can be one of this metric."""
        least, largest = self.limits
        return (least is None or value >= least) and (largest is None or value <= largest)

    @property
    def reading(self) -> str:
        """How to read its values."""
        return f"{self.scale}, {'higher' if self.higher_is_better else 'lower'} is better"
