"""BLEU by sacreBLEU, with the tokenizer of the target language; and sacreBLEU's chrF2."""

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import MetricScore
from llast.config.steps import ScoreOptions
from llast.evaluation.metrics.base import Metric
from llast.languages import Language
from llast.normalisation import normalised

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuMetric

RESAMPLES = 1000
SEED = "12345"
"""sacreBLEU's own default; set all the same, so that a user's environment cannot change it."""
MIN_ROWS = 10
"""Below this, resampling says nothing about other rows: the interval is left out."""


def bleu(
    rows: Sequence[Hypothesis], target: Language, options: ScoreOptions, lowercase: bool = False
) -> MetricScore | None:
    """BLEU, 0 to 100, with its 95 % interval (Koehn 2004; the seed of the bootstrap stands in the signature).

    Lower-cased it is the number of the released LLaST scorer, which lower-cases both sides and has the same tokenizers.
    """
    from sacrebleu.metrics import BLEU

    resamples = RESAMPLES if len(rows) >= MIN_ROWS else 1
    return _corpus_score(BLEU(tokenize=target.bleu_tokenizer, lowercase=lowercase), rows, resamples)


def bleu_of_characters(
    rows: Sequence[Hypothesis], target: Language, options: ScoreOptions
) -> MetricScore | None:
    """BLEU of Chinese and Japanese on characters, as in the CoVoST 2 paper (arXiv 2007.10310)."""
    from sacrebleu.metrics import BLEU

    return _corpus_score(BLEU(tokenize="char"), rows)


def chrf2(rows: Sequence[Hypothesis], target: Language, options: ScoreOptions) -> MetricScore | None:
    """chrF2, 0 to 100."""
    from sacrebleu.metrics import CHRF

    return _corpus_score(CHRF(), rows)


def point_bleu(rows: Sequence[Hypothesis], target: Language) -> float | None:
    """Cased BLEU of some rows, without an interval; None where their references are empty."""
    from sacrebleu.metrics import BLEU

    scored = _corpus_score(BLEU(tokenize=target.bleu_tokenizer), rows)
    return scored.value if scored else None


def within_scale(score: float) -> float:
    """A score of sacreBLEU, which rounds perfect ones up to 100.00000000000004."""
    return min(100.0, max(0.0, score))


def sentence_chrf2(rows: Sequence[Hypothesis]) -> list[float]:
    """chrF2 of each row by itself."""
    from sacrebleu.metrics import CHRF

    chrf = CHRF()
    return [within_scale(chrf.sentence_score(row.hypothesis, [row.reference]).score) for row in rows]


def _corpus_score(
    metric: "SacrebleuMetric", rows: Sequence[Hypothesis], resamples: int = 1
) -> MetricScore | None:
    """None where all references are empty: sacreBLEU says 0, as of hypotheses that are all wrong."""
    if not any(normalised(row.reference) for row in rows):  # what cannot be seen is no text either
        return None
    os.environ["SACREBLEU_SEED"] = SEED
    references = [[row.reference for row in rows]]
    scored = metric.corpus_score([row.hypothesis for row in rows], references, n_bootstrap=resamples)
    interval = None
    if resamples > 1:  # sacreBLEU has no public name for the interval
        interval = (within_scale(scored._mean - scored._ci), within_scale(scored._mean + scored._ci))
    return MetricScore(
        value=within_scale(scored.score), signature=str(metric.get_signature()), interval=interval
    )


_score = partial(Metric, of="translations", scale="0 to 100", limits=(0, 100))
BLEU_CASED = _score("bleu", "BLEU", compute=bleu)
BLEU_LOWER = _score("bleu_lc", "BLEU, lower-cased", compute=partial(bleu, lowercase=True))
BLEU_CHAR = _score(
    "bleu_char",
    "BLEU of characters",
    compute=bleu_of_characters,
    applies=lambda code, options: not code.spaced,
)
CHRF2 = _score("chrf2", "chrF2", compute=chrf2)
