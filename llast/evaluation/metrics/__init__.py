"""All metrics. One more is a module with a `Metric` and a place in this list."""

from llast.evaluation.metrics.base import Metric
from llast.evaluation.metrics.bleu import BLEU_CASED, BLEU_CHAR, BLEU_LOWER, CHRF2
from llast.evaluation.metrics.comet import COMET
from llast.evaluation.metrics.error_rate import CER, CER_WHISPER, WER, WER_WHISPER

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (BLEU_CASED, BLEU_LOWER, BLEU_CHAR, CHRF2, COMET, WER, CER, WER_WHISPER, CER_WHISPER)
}
"""By name, in the order of `scores.csv`."""
