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

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuMetric

RESAMPLES = 1000
SEED = "12345"
"""sacreBLEU's own default; set all the same, so that a user's environment cannot change it."""
MIN_ROWS = 10
"""Below this, resampling says nothing about other rows: the interval is left out."""


def bleu(
    rows: Sequence[Hypothesis], target: Language, options: ScoreOptions, lowercase: bool = False
) -> MetricScore:
    """BLEU, 0 to 100, with its 95 % interval (Koehn 2004; the seed of the bootstrap stands in the signature).

    Lower-cased it is the number of the released LLaST scorer, which lower-cases both sides and has the same tokenizers.
    """
    from sacrebleu.metrics import BLEU

    resamples = RESAMPLES if len(rows) >= MIN_ROWS else 1
    return _corpus_score(BLEU(tokenize=target.bleu_tokenizer, lowercase=lowercase), rows, resamples)


def bleu_of_characters(
    rows: Sequence[Hypothesis], target: Language, options: ScoreOptions
) -> MetricScore | None:
    """BLEU of Chinese and Japanese on characters, as in the CoVoST 2 paper (arXiv 2007.10310); None for others."""
    from sacrebleu.metrics import BLEU

    return None if target.spaced else _corpus_score(BLEU(tokenize="char"), rows)


def chrf2(rows: Sequence[Hypothesis], target: Language, options: ScoreOptions) -> MetricScore:
    """chrF2, 0 to 100."""
    from sacrebleu.metrics import CHRF

    return _corpus_score(CHRF(), rows)


def point_bleu(rows: Sequence[Hypothesis], target: Language) -> float:
    """Cased BLEU of some rows, without an interval."""
    from sacrebleu.metrics import BLEU

    return _corpus_score(BLEU(tokenize=target.bleu_tokenizer), rows).value


def sentence_chrf2(rows: Sequence[Hypothesis]) -> list[float]:
    """chrF2 of each row by itself."""
    from sacrebleu.metrics import CHRF

    chrf = CHRF()
    return [chrf.sentence_score(row.hypothesis, [row.reference]).score for row in rows]


def _corpus_score(metric: "SacrebleuMetric", rows: Sequence[Hypothesis], resamples: int = 1) -> MetricScore:
    os.environ["SACREBLEU_SEED"] = SEED
    references = [[row.reference for row in rows]]
    scored = metric.corpus_score([row.hypothesis for row in rows], references, n_bootstrap=resamples)
    interval = None
    if resamples > 1:  # sacreBLEU has no public name for the interval
        interval = (scored._mean - scored._ci, scored._mean + scored._ci)
    return MetricScore(value=scored.score, signature=str(metric.get_signature()), interval=interval)


SCALE = "0 to 100", (0, 100 + 1e-6)  # a perfect score may round up
BLEU_CASED = Metric("bleu", "BLEU", "translations", bleu, *SCALE)
BLEU_LOWER = Metric("bleu_lc", "BLEU, lower-cased", "translations", partial(bleu, lowercase=True), *SCALE)
BLEU_CHAR = Metric("bleu_char", "BLEU of characters", "translations", bleu_of_characters, *SCALE)
CHRF2 = Metric("chrf2", "chrF2", "translations", chrf2, *SCALE)
