"""The step `compare`: is an experiment better than its baseline by more than chance, pair by pair?"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from llast.artifacts.comparison import ComparedCheckpoint, ComparedPair, Comparison
from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.summaries import DecodeSummary
from llast.corpus.pool import map_in_order
from llast.errors import DataError
from llast.evaluation.hypotheses import read_translated
from llast.evaluation.metrics.bleu import MIN_ROWS, RESAMPLES, SEED, within_scale
from llast.languages import language, split_pair
from llast.progress import progress
from llast.results.averages import Case
from llast.results.checkpoints import Checkpoint, read_results

LEVEL = 0.05
"""A difference counts as more than chance below this p-value, after the correction."""


class PairedScores(NamedTuple):
    """BLEU of an experiment and of its baseline over the same rows, and the p-value of their difference."""

    bleu: float
    baseline_bleu: float
    p: float
    signature: str


def compare(
    experiment: str,
    baseline: str,
    runs: Sequence[Path],
    scores: Sequence[Path],
    translated: Sequence[Path],
    output: Path,
    case: Case = "cased",
    workers: int = 1,
) -> Comparison:
    """Compare the chosen checkpoint of an experiment with the chosen one of its baseline, on test.

    sacreBLEU's paired bootstrap (Koehn 2004) over the rows that both translated, for each pair that the experiment
    trained on; then Holm's correction for the number of pairs. Checkpoints are chosen on dev, see `Results`.

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
    results = read_results(runs, scores, case)
    if len(results.chosen) > 2:
        raise DataError(
            f"expected one seed each of {experiment} and {baseline}, found {len(results.chosen)} runs."
        )
    chosen = {checkpoint.run.experiment: checkpoint for checkpoint in results.chosen}
    if set(chosen) != {experiment, baseline}:
        raise DataError(f"expected runs of {experiment} and {baseline}, found {', '.join(chosen) or 'none'}.")
    system, other = chosen[experiment], chosen[baseline]
    ours, theirs = (_test_hypotheses(translated, checkpoint) for checkpoint in (system, other))
    calls = []
    for pair, rows in ours.items():
        if pair in theirs and system.trained_on(pair):
            known = {row.clip: row for row in theirs[pair]}
            matched = [(row, known[row.clip]) for row in rows if row.clip in known]
            if len(matched) >= MIN_ROWS:
                calls.append((pair, matched, case))
    scored = map_in_order(paired_test, calls, workers, calls_per_task=1)
    tested = list(zip(calls, progress(scored, "compare", len(calls), "pair"), strict=True))
    if not tested:
        print(
            f"compare: {experiment} and {baseline} have no pair in common that {experiment} trained on and that has "
            f"{MIN_ROWS} rows: nothing is compared.",
            file=sys.stderr,
        )
    corrected = holm({pair: scores.p for (pair, *_), scores in tested})
    comparison = Comparison(
        experiment=experiment,
        seed=system.run.seed,
        checkpoint=system.number,
        baseline=ComparedCheckpoint(experiment=baseline, seed=other.run.seed, checkpoint=other.number),
        test=f"sacreBLEU's paired bootstrap, {RESAMPLES} resamples, seed {SEED}",
        correction=f"Holm over {len(tested)} pairs, level {LEVEL}",
        case=case,
        pairs={
            pair: ComparedPair(
                **scores._asdict(),
                difference=scores.bleu - scores.baseline_bleu,
                p_holm=corrected[pair],
                significant=corrected[pair] < LEVEL,
                rows=len(matched),
            )
            for (pair, matched, _), scores in tested
        },
    )
    comparison.write(output)
    return comparison


def paired_test(pair: str, matched: list[tuple[Hypothesis, Hypothesis]], case: Case) -> PairedScores:
    """Test an experiment's rows of a pair (the first of each two) against the baseline's of the same clips."""
    os.environ["SACREBLEU_SEED"] = SEED
    tokenizer = language(split_pair(pair)[1]).bleu_tokenizer
    metric = BLEU(tokenize=tokenizer, lowercase=case == "lower")
    ours, theirs = zip(*matched, strict=True)
    systems: list[tuple[str, Sequence[str]]] = [
        (name, [row.hypothesis for row in rows]) for name, rows in (("baseline", theirs), ("ours", ours))
    ]
    references = [[row.reference for row in ours]]
    test = PairedTest(systems, {"BLEU": metric}, references, "bs", RESAMPLES)
    signatures, results = test()
    reference, system = results["BLEU"]
    assert not isinstance(reference, str)
    assert not isinstance(system, str)
    # Of equal hypotheses sacreBLEU says p = 1 / (resamples + 1), since no resample differs by more than nothing.
    same = all(mine.hypothesis == other.hypothesis for mine, other in matched)
    p = 1.0 if same else float(system.p_value)  # type: ignore[arg-type]
    return PairedScores(
        within_scale(float(system.score)), within_scale(float(reference.score)), p, str(signatures["BLEU"])
    )


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down correction (1979): the chance of one false claim or more among all stays below the level."""
    corrected = {}
    highest = 0.0
    for rank, (name, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * value))
        corrected[name] = highest
    return corrected


def _test_hypotheses(translated: Sequence[Path], checkpoint: Checkpoint) -> dict[str, list[Hypothesis]]:
    """Test translations of a checkpoint by pair."""
    wanted = (*checkpoint.run.key, checkpoint.number)
    own = []
    for path in translated:
        details = DecodeSummary.read(path).details
        if (details.experiment, details.seed, details.checkpoint) == wanted:
            own.append(path)
    if not own:
        raise DataError(
            f"no summary of decode is of checkpoint {checkpoint.number} of {checkpoint.run.experiment} seed "
            f"{checkpoint.run.seed}, which stands for the run. Name those of all its checkpoints."
        )
    return {pair: file.read() for pair, file in read_translated(own, "test").pairs.items()}
