"""The step `score`: every metric of hypotheses by pair and of transcripts by language, and faults of hypotheses."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import (
    LengthScore,
    MetricScore,
    PairScores,
    Sample,
    SampleKind,
    ScoreFile,
    SetScores,
)
from llast.artifacts.summaries import Split
from llast.config.steps import ScoreOptions
from llast.corpus.pool import map_in_order
from llast.evaluation.faults import count_faults, profiles
from llast.evaluation.hypotheses import read_translated
from llast.evaluation.metrics import METRICS
from llast.evaluation.metrics.bleu import MIN_ROWS, point_bleu, sentence_chrf2
from llast.languages import Language, language, split_pair
from llast.progress import progress

SECONDS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, math.inf)
"""Ends of the classes of clip lengths."""
SAMPLES, SAMPLED = 3, 2000


def score(
    translated: Sequence[Path],
    split: Split,
    output: Path,
    options: ScoreOptions = ScoreOptions(),  # noqa: B008 (frozen)
    workers: int = 1,
) -> ScoreFile:
    """Score one checkpoint on one split, every pair that was translated.

    Metrics are those of `llast.evaluation.metrics` that apply to a pair's target language, or to a spoken language;
    where there is nothing to score they are None. Faults are counted as `llast.evaluation.faults` says.

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
        more = {"faults": count_faults(pair, records[pair], known), "expected": found.pairs[pair].expected}
        pairs[pair] = scores.model_copy(update=more)
    transcripts = {}
    for code, file in found.transcripts.items():
        rows = file.read()
        metrics = _metrics("transcripts", rows, language(code), options)
        transcripts[code] = SetScores(metrics=metrics, rows=len(rows), expected=file.expected)
    result = ScoreFile(
        **found.of.model_dump(exclude={"pairs", "transcripts"}),
        split=split,
        pairs=pairs,
        transcripts=transcripts,
    )
    result.write(output)
    return result


def score_pair(pair: str, rows: list[Hypothesis], options: ScoreOptions) -> PairScores:
    """Scores of one pair, all but its faults, which need the words of all languages of the split."""
    target = language(split_pair(pair)[1])
    return PairScores(
        metrics=_metrics("translations", rows, target, options),
        rows=len(rows),
        expected=len(rows),
        by_seconds=_by_seconds(rows, target),
        samples=_samples(rows),
    )


def _metrics(
    of: str, rows: Sequence[Hypothesis], code: Language, options: ScoreOptions
) -> dict[str, MetricScore | None]:
    return {
        name: metric.compute(rows, code, options) if rows else None
        for name, metric in METRICS.items()
        if metric.of == of and metric.applies(code, options)
    }


def _by_seconds(rows: Sequence[Hypothesis], target: Language) -> list[LengthScore]:
    """Cased BLEU of clips up to each of `SECONDS`, where there are enough of them."""
    found = []
    for shortest, longest in pairwise((0.0, *SECONDS)):
        own = [row for row in rows if shortest <= row.seconds < longest]
        if len(own) >= MIN_ROWS:
            end = None if math.isinf(longest) else longest
            if (bleu := point_bleu(own, target)) is not None:
                found.append(LengthScore(shortest=shortest, longest=end, bleu=bleu, rows=len(own)))
    return found


def _samples(rows: Sequence[Hypothesis]) -> dict[SampleKind, list[Sample]]:
    """Rows to read: some drawn by a hash of their clips, the same for every run, and the worst and best of many.

    Worst and best by sentence-level chrF2, among the first `SAMPLED` rows in the order of the hash.
    """
    drawn = sorted(rows, key=lambda row: hashlib.sha256(row.clip.encode()).digest())[:SAMPLED]
    scored = [
        Sample(**row.model_dump(exclude={"task"}), chrf2=round(chrf2, 2))
        for row, chrf2 in zip(drawn, sentence_chrf2(drawn), strict=True)
    ]
    ordered = sorted(scored, key=lambda sample: (sample.chrf2, sample.clip))
    few = min(SAMPLES, len(ordered) // 2)
    return {
        "drawn": scored[:SAMPLES],
        "worst": ordered[:few],
        "best": ordered[len(ordered) - few :][::-1],
    }


def _texts(records: Mapping[str, Sequence[Hypothesis]]) -> dict[str, list[str]]:
    """Sentences and references of the split by language: what its languages look like."""
    texts: dict[str, list[str]] = {}
    for pair, rows in records.items():
        source, target = split_pair(pair)
        texts.setdefault(source, []).extend(row.sentence for row in rows)
        texts.setdefault(target, []).extend(row.reference for row in rows)
    return texts
