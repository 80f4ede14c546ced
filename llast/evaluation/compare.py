"""The step `compare`: is an experiment better than its baseline by more than chance, pair by pair?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from llast.artifacts import write_json
from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.summaries import DecodeSummary
from llast.config.steps import STEP_VERSIONS
from llast.corpus.pool import map_in_order
from llast.errors import DataError
from llast.evaluation.hypotheses import read_translated
from llast.evaluation.score import BOOTSTRAP_MIN_ROWS, BOOTSTRAP_RESAMPLES, BOOTSTRAP_SEED
from llast.languages import language, split_pair
from llast.progress import progress
from llast.results.checkpoints import Case, CheckpointScores, choose, read_checkpoints, read_runs

LEVEL = 0.05
"""A difference counts as more than chance below this p-value, after the correction."""


def compare(
    experiment: str,
    baseline: str,
    runs: list[Path],
    scores: list[Path],
    translated: list[Path],
    output: Path,
    case: Case = "cased",
    workers: int = 1,
) -> dict[str, Any]:
    """Compare the chosen checkpoint of an experiment with the chosen one of its baseline, on test.

    sacreBLEU's paired bootstrap (Koehn 2004) over the rows that both translated, for each pair that the experiment
    trained on; then Holm's correction for the number of pairs. Checkpoints are chosen on dev.

    Args:
        experiment: its name.
        baseline: name of the experiment to compare with.
        runs: `run.json` of both, one seed each.
        scores: files of the step `score` of both, every checkpoint and split.
        translated: summaries of the step `decode` of both, every checkpoint.
        output: JSON file to write; its content is also returned.
        case: the BLEU to compare.
        workers: processes to work in.

    Raises:
        DataError: an input is missing or broken, or not of these two.
    """
    chosen = {run.experiment: choose(read_checkpoints(run)) for run in read_runs(runs, scores, case)}
    if set(chosen) != {experiment, baseline}:
        raise DataError(f"expected runs of {experiment} and {baseline}, found {', '.join(chosen) or 'none'}.")
    system, other = chosen[experiment], chosen[baseline]
    ours, theirs = (_records(translated, row) for row in (system, other))
    calls = []
    for pair in ours:
        if pair in theirs and pair in system.run.trained_pairs:
            known = {record.clip: record for record in theirs[pair]}
            matched = [(record, known[record.clip]) for record in ours[pair] if record.clip in known]
            if len(matched) >= BOOTSTRAP_MIN_ROWS:
                calls.append((pair, matched, case))
    results = map_in_order(paired_test, calls, workers, calls_per_task=1)
    found = dict(
        zip((pair for pair, *_ in calls), progress(results, "compare", len(calls), "pair"), strict=True)
    )
    for pair, corrected in holm({pair: result["p"] for pair, result in found.items()}).items():
        found[pair] |= {"p_holm": corrected, "significant": corrected < LEVEL}
    result = {
        "step_version": STEP_VERSIONS["compare"],
        "experiment": experiment,
        "seed": system.run.seed,
        "checkpoint": system.checkpoint,
        "baseline": {"experiment": baseline, "seed": other.run.seed, "checkpoint": other.checkpoint},
        "test": f"sacreBLEU's paired bootstrap, {BOOTSTRAP_RESAMPLES} resamples, seed {BOOTSTRAP_SEED}",
        "correction": f"Holm over {len(found)} pairs, level {LEVEL}",
        "case": case,
        "pairs": found,
    }
    write_json(output, result)
    return result


def paired_test(pair: str, matched: list[tuple[Hypothesis, Hypothesis]], case: Case) -> dict[str, Any]:
    """BLEU of both over the same rows, and the p-value of their difference."""
    os.environ["SACREBLEU_SEED"] = BOOTSTRAP_SEED
    tokenizer = language(split_pair(pair)[1]).bleu_tokenizer
    metric = BLEU(tokenize=tokenizer, lowercase=case == "lower")
    ours, theirs = zip(*matched, strict=True)
    systems: list[tuple[str, Sequence[str]]] = [
        (name, [r.hypothesis for r in rows]) for name, rows in (("baseline", theirs), ("ours", ours))
    ]
    references = [[record.reference for record in ours]]
    test = PairedTest(systems, {"BLEU": metric}, references, "bs", BOOTSTRAP_RESAMPLES)
    signatures, results = test()
    reference, system = results["BLEU"]
    assert not isinstance(reference, str)
    assert not isinstance(system, str)
    # Of equal hypotheses sacreBLEU says p = 1 / (resamples + 1), since no resample differs by more than nothing.
    same = all(mine.hypothesis == other.hypothesis for mine, other in matched)
    return {
        "bleu": system.score,
        "baseline_bleu": reference.score,
        "difference": system.score - reference.score,
        "p": 1.0 if same else float(system.p_value),  # type: ignore[arg-type]
        "rows": len(matched),
        "signature": str(signatures["BLEU"]),
    }


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down correction (1979): the chance of one false claim or more among all stays below the level."""
    corrected = {}
    highest = 0.0
    for rank, (name, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * value))
        corrected[name] = highest
    return corrected


def _records(translated: list[Path], row: CheckpointScores) -> dict[str, list[Hypothesis]]:
    """Test translations of a checkpoint by pair."""
    identity = (row.run.experiment, row.run.seed, row.checkpoint)
    own = []
    for path in translated:
        details = DecodeSummary.read(path).details
        if (details.experiment, details.seed, details.checkpoint) == identity:
            own.append(path)
    return {pair: file.read() for pair, file in read_translated(own, "test").pairs.items()}
