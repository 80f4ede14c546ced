"""Score hypotheses with sacreBLEU: BLEU cased and lower-cased, chrF2, and how sure the cased BLEU is."""

import json
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

from llast.artifacts import Summary, read_summary, write_json
from llast.config.steps import STEP_VERSIONS
from llast.errors import DataError
from llast.languages import PAIRS, language, split_pair
from llast.progress import progress

BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_MIN_ROWS = 10
"""Below this, resampling says nothing about other rows: the interval is left out."""


def score(translated: list[Path], split: str, output: Path) -> dict[str, Any]:
    """Score one checkpoint on one split, every pair that was translated.

    Args:
        translated: summaries of the step `translate` for this checkpoint, one per source language.
        split: `dev` or `test`.
        output: JSON file to write; its content is also returned.

    BLEU is on the scale 0 to 100, with the tokenizer of the target language (13a, zh, ja-mecab), and for Chinese
    and Japanese targets also on characters, as in the CoVoST 2 paper (arXiv 2007.10310). The 95 % interval of cased
    BLEU is sacreBLEU's bootstrap (Koehn 2004; its seed stands in the signature). A pair without rows has null scores.

    Raises:
        DataError: summaries of different checkpoints, a pair twice, or a hypothesis file that does not fit its
            summary.
    """
    summaries = {path: read_summary(path) for path in translated}
    identity = _identity(summaries)
    rows: dict[str, dict[str, Any]] = {}
    for path, summary in summaries.items():
        for pair, splits in summary.details["pairs"].items():
            if pair in rows:
                raise DataError(
                    f"{pair} is in more than one of the translations to score; the second is {path}."
                )
            if split not in splits:
                raise DataError(f"{path} has no {split} rows of {pair}. Translate that split first.")
            rows[pair] = {**splits[split], "file": path.parent / splits[split]["file"]}
    pairs = [pair for pair in PAIRS if pair in rows]
    result = {
        "step_version": STEP_VERSIONS["score"],
        "split": split,
        **identity,
        "pairs": {
            pair: score_pair(pair, *_texts(**rows[pair]), expected=rows[pair]["expected"])
            for pair in progress(pairs, f"score {split}", unit="pair")
        },
    }
    write_json(output, result)
    return result


def score_pair(pair: str, hypotheses: list[str], references: list[str], expected: int) -> dict[str, Any]:
    """Scores of one pair, each with the sacreBLEU signature that makes it comparable.

    `expected` counts the rows that should have been there, including those whose audio is missing.
    """
    target = language(split_pair(pair)[1])
    resamples = BOOTSTRAP_RESAMPLES if len(hypotheses) >= BOOTSTRAP_MIN_ROWS else 1
    metrics: dict[str, tuple[Metric, str]] = {
        "bleu": (BLEU(tokenize=target.bleu_tokenizer), "signature"),
        "bleu_lc": (BLEU(tokenize=target.bleu_tokenizer, lowercase=True), "signature_lc"),
        "chrf2": (CHRF(), "signature_chrf"),
    }
    if not target.spaced:
        metrics["bleu_char"] = (BLEU(tokenize="char"), "signature_char")
    result: dict[str, Any] = {"bleu": None, "bleu_ci95": None}
    for name, (metric, signature) in metrics.items():
        result[name] = result[signature] = None
        if hypotheses:
            scored = metric.corpus_score(
                hypotheses, [references], n_bootstrap=resamples if name == "bleu" else 1
            )
            result[name] = scored.score
            result[signature] = str(metric.get_signature())
            if name == "bleu" and resamples > 1:  # sacreBLEU has no public name for the interval
                result["bleu_ci95"] = [scored._mean - scored._ci, scored._mean + scored._ci]
    return {**result, "rows": len(hypotheses), "expected": expected}


def _identity(summaries: dict[Path, Summary]) -> dict[str, Any]:
    """Which checkpoint of which run the translations come from; they have to agree."""
    keys = ("experiment", "seed", "checkpoint", "step")
    found = {path: {key: summary.details[key] for key in keys} for path, summary in summaries.items()}
    if not found:
        raise DataError("there is nothing to score: no translations were given.")
    first_path, first = next(iter(found.items()))
    for path, identity in found.items():
        if identity != first:
            raise DataError(
                f"cannot score different checkpoints together: {first_path} is {first}, {path} is {identity}."
            )
    return first


def _texts(file: Path, rows: int, expected: int) -> tuple[list[str], list[str]]:
    """Hypotheses and references of a translated file."""
    try:
        with file.open(encoding="utf-8", newline="\n") as lines:  # str.splitlines would also split at U+2028
            records = [json.loads(line) for line in lines]
        texts = [r["hypothesis"] for r in records], [r["reference"] for r in records]
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise DataError(
            f"cannot read the hypotheses in {file}: {error!r}. Delete it and translate again."
        ) from None
    if len(records) != rows:
        raise DataError(
            f"{file} has {len(records)} rows, its summary says {rows}. Delete it and translate again."
        )
    return texts
