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
        scale: what its values are, such as `0 to 100`.
        higher_is_better: its direction.
        digits: after the point, for people.
    """

    name: str
    title: str
    of: Literal["translations", "transcripts"]
    compute: Callable[[Sequence[Hypothesis], Language, ScoreOptions], MetricScore | None]
    scale: str
    higher_is_better: bool = True
    digits: int = 1

    @property
    def reading(self) -> str:
        """How to read its values."""
        return f"{self.scale}, {'higher' if self.higher_is_better else 'lower'} is better"
