"""The step `score`: BLEU, chrF2 and faults of hypotheses by pair, error rates of transcripts by language."""

import hashlib
import math
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

from llast.artifacts import write_json
from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.summaries import Split
from llast.config.steps import STEP_VERSIONS, ScoreOptions
from llast.corpus.pool import map_in_order
from llast.evaluation.comet import comet
from llast.evaluation.faults import count_faults, profiles
from llast.evaluation.hypotheses import HypothesisFile, read_translated
from llast.evaluation.recognition import error_rate
from llast.languages import language, split_pair
from llast.progress import progress

BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_SEED = (
    "12345"  # sacreBLEU's own default; set all the same, so that a user's environment cannot change it
)
BOOTSTRAP_MIN_ROWS = 10
"""Below this, resampling says nothing about other rows: the interval is left out."""
SECONDS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, math.inf)
"""Ends of the classes of clip lengths."""
SAMPLES, SAMPLED = 3, 2000
INTERVALS = {"bleu": "bleu_ci95", "bleu_lc": "bleu_lc_ci95"}
"""Metrics with a 95 % interval, and the key of it."""


def score(
    translated: list[Path],
    split: Split,
    output: Path,
    options: ScoreOptions = ScoreOptions(),  # noqa: B008 (frozen)
    workers: int = 1,
) -> dict[str, Any]:
    """Score one checkpoint on one split, every pair that was translated.

    BLEU is on the scale 0 to 100, with the tokenizer of the target language (13a, zh, ja-mecab), and for Chinese
    and Japanese targets also on characters, as in the CoVoST 2 paper (arXiv 2007.10310). The 95 % intervals of
    BLEU are sacreBLEU's bootstrap (Koehn 2004; its seed stands in the signature). Lower-cased BLEU is the number
    of the released LLaST scorer, which lower-cases both sides and has the same tokenizers. A pair without rows has null
    scores. `faults` counts hypotheses as `llast.evaluation.faults` says. Transcripts are scored by spoken language,
    under `recognition`.

    Args:
        translated: summaries of the step `decode` for this checkpoint, one per source language.
        split: `dev` or `test`.
        output: JSON file to write; its content is also returned.
        options: COMET.
        workers: processes to work in.

    Raises:
        DataError: summaries of different checkpoints, a pair twice, or a hypothesis file that does not fit its
            summary.
        ConfigError: there is no COMET where the options say.
    """
    found = read_translated(translated, split)
    records = {pair: file.read() for pair, file in found.pairs.items()}
    calls = [(pair, rows, options) for pair, rows in records.items()]
    scored = map_in_order(score_pair, calls, workers, calls_per_task=1)
    known = profiles(_texts(records))
    pairs = {}
    for pair, scores in zip(records, progress(scored, f"score {split}", len(calls), "pair"), strict=True):
        faults = count_faults(pair, records[pair], known)
        counts = {"rows": len(records[pair]), "expected": found.pairs[pair].expected}
        pairs[pair] = {**scores, "faults": faults, **counts}
    result = {
        "step_version": STEP_VERSIONS["score"],
        "split": split,
        **found.of.model_dump(exclude={"pairs", "transcripts"}),
        "pairs": pairs,
        "recognition": {code: _recognition(code, file) for code, file in found.transcripts.items()},
    }
    write_json(output, result)
    return result


def score_pair(pair: str, records: list[Hypothesis], options: ScoreOptions) -> dict[str, Any]:
    """Scores of one pair, each with the sacreBLEU signature that makes it comparable."""
    os.environ["SACREBLEU_SEED"] = BOOTSTRAP_SEED
    hypotheses, references = [r.hypothesis for r in records], [r.reference for r in records]
    target = language(split_pair(pair)[1])
    resamples = BOOTSTRAP_RESAMPLES if len(hypotheses) >= BOOTSTRAP_MIN_ROWS else 1
    metrics: dict[str, tuple[Metric, str]] = {
        "bleu": (BLEU(tokenize=target.bleu_tokenizer), "signature"),
        "bleu_lc": (BLEU(tokenize=target.bleu_tokenizer, lowercase=True), "signature_lc"),
        "chrf2": (CHRF(), "signature_chrf"),
    }
    if not target.spaced:
        metrics["bleu_char"] = (BLEU(tokenize="char"), "signature_char")
    result: dict[str, Any] = dict.fromkeys(INTERVALS.values())
    for name, (metric, signature) in metrics.items():
        result[name] = result[signature] = None
        if hypotheses:
            times = resamples if name in INTERVALS else 1
            scored = metric.corpus_score(hypotheses, [references], n_bootstrap=times)
            result[name] = scored.score
            result[signature] = str(metric.get_signature())
            if times > 1:  # sacreBLEU has no public name for the interval
                result[INTERVALS[name]] = [scored._mean - scored._ci, scored._mean + scored._ci]
    if options.comet_command and hypotheses:
        sources = [r.sentence for r in records]
        result["comet"] = comet(options.comet_command, options.comet_model, sources, hypotheses, references)
        result["signature_comet"] = f"comet|model:{options.comet_model}"
    result["by_seconds"] = _by_seconds(records, BLEU(tokenize=target.bleu_tokenizer))
    result["samples"] = _samples(records)
    return result


def _by_seconds(records: list[Hypothesis], metric: BLEU) -> list[dict[str, Any]]:
    """Cased BLEU of clips up to each of `SECONDS`, where there are enough of them."""
    found = []
    for shortest, longest in pairwise((0.0, *SECONDS)):
        rows = [r for r in records if shortest <= r.seconds < longest]
        if len(rows) >= BOOTSTRAP_MIN_ROWS:
            bleu = metric.corpus_score([r.hypothesis for r in rows], [[r.reference for r in rows]])
            end = None if math.isinf(longest) else longest
            found.append({"from": shortest, "to": end, "bleu": bleu.score, "rows": len(rows)})
    return found


def _samples(records: list[Hypothesis]) -> dict[str, list[dict[str, Any]]]:
    """Rows to read: some drawn by a hash of their clips, the same for every run, and the worst and best of many.

    Worst and best by sentence-level chrF2, among the first `SAMPLED` rows in the order of the hash.
    """
    drawn = sorted(records, key=lambda r: hashlib.sha256(r.clip.encode()).digest())[:SAMPLED]
    chrf = CHRF()
    scored = [
        r.model_dump(exclude={"task"})
        | {"chrf2": round(chrf.sentence_score(r.hypothesis, [r.reference]).score, 2)}
        for r in drawn
    ]
    ordered = sorted(scored, key=lambda one: (one["chrf2"], one["clip"]))
    few = min(SAMPLES, len(ordered) // 2)
    return {
        "drawn": scored[:SAMPLES],
        "worst": ordered[:few],
        "best": ordered[len(ordered) - few :][::-1],
    }


def _texts(records: dict[str, list[Hypothesis]]) -> dict[str, list[str]]:
    """Sentences and references of the split by language: what its languages look like."""
    texts: dict[str, list[str]] = {}
    for pair, rows in records.items():
        source, target = split_pair(pair)
        texts.setdefault(source, []).extend(r.sentence for r in rows)
        texts.setdefault(target, []).extend(r.reference for r in rows)
    return texts


def _recognition(code: str, file: HypothesisFile) -> dict[str, Any]:
    records = file.read()
    rate = error_rate(code, [r.hypothesis for r in records], [r.reference for r in records])
    return {**rate, "rows": len(records), "expected": file.expected}
