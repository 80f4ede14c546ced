"""Word and character error rates of transcripts."""

import unicodedata
from collections.abc import Sequence
from functools import cache

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import MetricScore
from llast.config.steps import ScoreOptions
from llast.evaluation.metrics.base import Metric
from llast.languages import Language

NORMALISATION = (
    "lowercase; punctuation removed except apostrophe and hyphen; typographic apostrophes made straight"
)
"""As in the CoVoST 2 paper (arXiv 2007.10310): WER; CER for Chinese and Japanese, where spaces do not count."""

KEPT = frozenset("'-")
APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ＇", "'"))


def word_error_rate(
    rows: Sequence[Hypothesis], spoken: Language, options: ScoreOptions
) -> MetricScore | None:
    """Errors per 100 words of the references over all rows."""
    return _error_rate(rows, "wer", spaced=True)


def character_error_rate(
    rows: Sequence[Hypothesis], spoken: Language, options: ScoreOptions
) -> MetricScore | None:
    """Errors per 100 characters of the references, spaces left out."""
    return _error_rate(rows, "cer", spaced=False)


def _error_rate(rows: Sequence[Hypothesis], name: str, spaced: bool) -> MetricScore | None:
    """Above 100 is possible; None where the references hold nothing to be recognised."""
    errors = units = 0
    for row in rows:
        recognised, spoken = (_units(text, spaced) for text in (row.hypothesis, row.reference))
        errors += edit_distance(recognised, spoken)
        units += len(spoken)
    if not units:
        return None
    return MetricScore(value=100.0 * errors / units, signature=f"{name}|{NORMALISATION}")


def normalised(text: str) -> str:
    """A text as error rates see it; see `NORMALISATION`."""
    kept = "".join(map(_kept, text.translate(APOSTROPHES).lower()))
    return " ".join(kept.split())


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make `b` out of `a` (Levenshtein)."""
    if a == b:
        return 0
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right)))
        above = row
    return above[-1]


def _units(text: str, spaced: bool) -> list[str]:
    words = normalised(text).split()
    return words if spaced else list("".join(words))


@cache
def _kept(character: str) -> str:
    """The character itself, or a space in place of punctuation."""
    punctuation = unicodedata.category(character).startswith("P") and character not in KEPT
    return " " if punctuation else character


WER = Metric(
    "wer",
    "WER",
    "transcripts",
    word_error_rate,
    "errors per 100 words of the transcript",
    applies=lambda code, options: code.spaced,
    higher_is_better=False,
)
CER = Metric(
    "cer",
    "CER",
    "transcripts",
    character_error_rate,
    "errors per 100 characters of the transcript",
    applies=lambda code, options: not code.spaced,
    higher_is_better=False,
)
