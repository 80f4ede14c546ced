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
            score; None where the references hold nothing to score.
        applies: whether it is a metric for such references under such options.
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
    applies: Callable[[Language, ScoreOptions], bool] = lambda code, options: True
    limits: tuple[float | None, float | None] = (0, None)
    higher_is_better: bool = True
    digits: int = 1

    def takes(self, score: MetricScore) -> bool:
        """Whether a score can be one of this metric, the ends of its interval too."""
        least, largest = self.limits
        return all(
            (least is None or value >= least) and (largest is None or value <= largest)
            for value in (score.value, *(score.interval or ()))
        )

    @property
    def reading(self) -> str:
        """How to read its values."""
        return f"{self.scale}, {'higher' if self.higher_is_better else 'lower'} is better"
