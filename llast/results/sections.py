"""What the readable BLEU table says: scores by pair, beside published ones, what is wrong, and every checkpoint."""

from collections.abc import Sequence

import pandas as pd

from llast.artifacts.comparison import Comparison
from llast.evaluation.faults import KINDS
from llast.evaluation.metrics import METRICS
from llast.languages import EN_X, X_EN, split_pair
from llast.results.averages import AVERAGE_NAMES, AVERAGES, HEADLINES, WHOLE
from llast.results.checkpoints import Checkpoint, Results
from llast.results.markdown import Section
from llast.results.published import CASES, OwnScores, PublishedSystem, beside_ours

CASE_NAMES = {
    "bleu": "Cased sacreBLEU",
    "bleu_lc": "Lower-cased sacreBLEU, as the released LLaST scorer has it,",
}
BETTER, WORSE = "▲", "▼"
NOTHING = "–"
"""In place of a score where there is nothing to score."""


def pair_name(pair: str) -> str:
    """A pair as people read it: `zh-CN→en`."""
    return "→".join(split_pair(pair))


def sections(
    results: Results, comparisons: Sequence[Comparison], published: Sequence[PublishedSystem]
) -> list[Section]:
    """The page: chosen checkpoints by pair first, every checkpoint last.

    Where an experiment has several seeds, a column is the mean over them and the standard deviation.
    """
    return [
        _by_pair(results, comparisons),
        *_transcripts(results),
        *(
            _published(case, systems, results.pairs)
            for case, systems in beside_ours(published, own_scores(results)).items()
        ),
        _faults(results),
        _checkpoints(results),
    ]


def own_scores(results: Results) -> OwnScores:
    """Test BLEU of the chosen checkpoints by run, metric and pair, to be set beside published scores.

    Of pairs that were trained on, and on CoVoST-2's own test sets only.
    """
    return {
        results.names[checkpoint.run.key]: {
            metric: {
                pair: scores.scored[metric].value
                for pair, scores in checkpoint.test.items()
                if checkpoint.trained_on(pair) and checkpoint.official(pair) and metric in scores.scored
            }
            for metric in HEADLINES.values()
        }
        for checkpoint in results.chosen
    }


def significance(seeds: Sequence[Checkpoint], pair: str, comparisons: Sequence[Comparison]) -> str:
    """The mark of a pair where all seeds of an experiment are better (or all worse) than the baseline's."""
    by_run = {comparison.key: comparison.pairs for comparison in comparisons}
    found = [by_run.get(checkpoint.run.key, {}).get(pair) for checkpoint in seeds]
    signs = {compared.difference > 0 for compared in found if compared and compared.significant}
    if len(signs) != 1 or not all(compared and compared.significant for compared in found):
        return ""
    return BETTER if signs.pop() else WORSE


def _by_pair(results: Results, comparisons: Sequence[Comparison]) -> Section:
    seeds = results.seeds
    averages = [name for name in AVERAGES if results.wide[name].notna().any()]
    rows = [
        *(
            [
                pair_name(pair),
                *(
                    _cell(_spread(seeds, name, pair), own, pair, comparisons)
                    for name, own in results.by_experiment.items()
                ),
            ]
            for pair in results.pairs
        ),
        *(
            [AVERAGE_NAMES[average], *(_spread(seeds, name, average) for name in results.by_experiment)]
            for average in averages
        ),
    ]
    text = (
        f"{CASE_NAMES[results.headline]} of a checkpoint of each run, {results.choice}. Test chooses nothing."
    )
    return Section("BLEU on test", text, ["pair", *results.by_experiment], rows, _notes(results, comparisons))


def _cell(text: str, seeds: Sequence[Checkpoint], pair: str, comparisons: Sequence[Comparison]) -> str:
    if not text and all(pair in checkpoint.test for checkpoint in seeds):
        text = NOTHING
    elif text and not seeds[0].trained_on(pair):
        text = f"*{text}* †"
    marks = [
        text,
        significance(seeds, pair, comparisons),
        "‡" if any(_incomplete(c, pair) for c in seeds) else "",
    ]
    return " ".join(mark for mark in marks if mark)


def _incomplete(checkpoint: Checkpoint, pair: str) -> bool:
    scores = checkpoint.test.get(pair)
    return scores is not None and scores.rows < scores.expected


def _notes(results: Results, comparisons: Sequence[Comparison]) -> list[str]:
    chosen, pairs, groups = results.chosen, results.pairs, results.by_experiment
    notes = _signature_notes(results)
    for experiment, comparison in {comparison.experiment: comparison for comparison in comparisons}.items():
        notes.append(
            f"{BETTER} {WORSE} in the column of {experiment}: better or worse than "
            f"{comparison.baseline.experiment} by more than chance ({comparison.test}; {comparison.correction})"
            + ("; marked where all seeds agree." if len(groups[experiment]) > 1 else ".")
        )
    if any(len(own) > 1 for own in groups.values()):
        counts = "; ".join(f"{name} {len(own)} seeds" for name, own in groups.items() if len(own) > 1)
        notes.append(f"Mean ± standard deviation over seeds: {counts}. Each is in `bleu_seeds.csv`.")
    if any(not checkpoint.trained_on(pair) for checkpoint in chosen for pair in checkpoint.bleu):
        notes.append("† not trained on by this experiment: shown, but in none of its averages.")
    if any(_incomplete(checkpoint, pair) for checkpoint in chosen for pair in pairs):
        notes.append(f"‡ scored on a part of the test set only: {'; '.join(_parts(chosen, pairs))}.")
    if any(scores and not scores.scored for c in chosen for scores in (c.test.get(pair) for pair in pairs)):
        notes.append(f"{NOTHING} nothing to score: no row has audio, or no reference a text.")
    if any(averages_differ(results, name) for name in AVERAGES):
        counts = "; ".join(f"{checkpoint.run.experiment} {_trained(checkpoint)}" for checkpoint in chosen)
        notes.append(
            f"Averages are over the pairs that each experiment trained on, and these differ: {counts}."
        )
    if any(
        "avg_x_en" in checkpoint.averages and WHOLE[0] not in checkpoint.averages for checkpoint in chosen
    ):
        notes.append(
            "The average of the paper's six needs fr, de, es, it, zh-CN and ja into English, all trained."
        )
    return notes


def _parts(checkpoints: Sequence[Checkpoint], pairs: Sequence[str]) -> list[str]:
    """Rows of the pairs that were not scored as a whole, such as `fr→en 100 of 14,760`."""
    found = dict.fromkeys(
        f"{pair_name(pair)} {checkpoint.test[pair].rows:,} of {checkpoint.test[pair].expected:,}"
        for pair in pairs
        for checkpoint in checkpoints
        if _incomplete(checkpoint, pair)
    )
    return list(found)


def _signature_notes(results: Results) -> list[str]:
    by_signature = signatures(results).get(results.headline, {})
    commonest_last = sorted(by_signature.items(), key=lambda item: len(item[1]))
    notes = []
    for signature, users in commonest_last:
        if len(by_signature) == 1:
            where = "all pairs"
        elif signature == commonest_last[-1][0]:
            where = "all other pairs"
        else:
            where = ", ".join(map(pair_name, users))
        notes.append(f"sacreBLEU `{signature}`: {where}.")
    return notes


def signatures(results: Results) -> dict[str, dict[str, list[str]]]:
    """Test signatures by metric of translations, each with the pairs that it was used for."""
    found: dict[str, dict[str, list[str]]] = {}
    for pair in results.pairs:
        for checkpoint in results.chosen:
            for name, score in (checkpoint.test[pair].scored if pair in checkpoint.test else {}).items():
                users = found.setdefault(name, {}).setdefault(score.signature, [])
                if pair not in users:
                    users.append(pair)
    return {name: found[name] for name in METRICS if name in found}


def _transcripts(results: Results) -> list[Section]:
    """Error rates by spoken language, where transcripts were scored."""
    codes = transcribed(results)
    if not codes:
        return []
    rows, notes, nothing = [], dict[str, None](), False
    for code, metric in codes:
        scores = [checkpoint.test_transcripts.get(code) for checkpoint in results.chosen]
        found = [own.scored.get(metric) if own else None for own in scores]
        parts = {
            f"{code} {own.rows:,} of {own.expected:,}": None
            for own in scores
            if own and own.rows < own.expected
        }
        notes |= parts
        nothing |= any(own and not score for own, score in zip(scores, found, strict=True))
        rows.append(
            [
                f"{code} ({METRICS[metric].title})" + " ‡" * bool(parts),
                *(
                    _number(score.value) if score else NOTHING if own else ""
                    for own, score in zip(scores, found, strict=True)
                ),
            ]
        )
    return [
        Section(
            "Recognition errors on test",
            "; ".join(
                f"{METRICS[name].title}: {METRICS[name].reading}"
                for name in METRICS
                if name in {metric for _, metric in codes}
            )
            + ".",
            ["language", *(results.names[checkpoint.run.key] for checkpoint in results.chosen)],
            rows,
            [
                *(f"`{signature}`" for signature in transcript_signatures(results)),
                *([f"‡ transcripts of a part of the clips: {'; '.join(notes)}."] if notes else []),
                *([f"{NOTHING} nothing to score: no clip, or no sentence with a word."] if nothing else []),
            ],
        )
    ]


def transcribed(results: Results) -> list[tuple[str, str]]:
    """Spoken languages whose test transcripts were scored, each with the name of each of its metrics."""
    found = {
        (code, name)
        for checkpoint in results.chosen
        for code, scores in checkpoint.test_transcripts.items()
        for name in scores.metrics
    }
    sources = dict.fromkeys(split_pair(pair)[0] for pair in (*X_EN, *EN_X))
    return [(code, name) for name in METRICS for code in sources if (code, name) in found]


def transcript_signatures(results: Results) -> list[str]:
    """How the error rates of `transcribed` were computed."""
    return sorted(
        {
            score.signature
            for checkpoint in results.chosen
            for scores in checkpoint.test_transcripts.values()
            for score in scores.scored.values()
        }
    )


def _published(case: str, systems: Sequence[PublishedSystem], pairs: Sequence[str]) -> Section:
    columns = [pair for pair in pairs if any(pair in system.bleu for system in systems)]
    own = [system for system in systems if system.ours]
    rows = [
        [
            f"*{system.name}*" if system.ours else system.name,
            _number(system.six),
            *(_number(system.bleu.get(pair)) for pair in columns),
        ]
        for system in systems
    ]
    text = (
        "Ours, in italics, in the same case."
        if own
        else "The publications do not say whether case counts, which is worth 1 to 2 BLEU: ours are left out."
    )
    return Section(
        f"Published systems, {CASES[case]}",
        text,
        ["system", "paper's six", *map(pair_name, columns)],
        rows,
        ["Each number's source is in `published.csv`."],
    )


def fault_counts(checkpoint: Checkpoint) -> tuple[dict[str, int], int]:
    """Hypotheses of a checkpoint with a fault, by kind, over all test pairs; and how many hypotheses there are."""
    counts = {kind: sum(own.faults.get(kind, 0) for own in checkpoint.test.values()) for kind in KINDS}
    return counts, sum(own.rows for own in checkpoint.test.values())


def _faults(results: Results) -> Section:
    rows = []
    for checkpoint in results.chosen:
        counts, total = fault_counts(checkpoint)
        shares = (_share(count, total) for count in counts.values())
        rows.append([results.names[checkpoint.run.key], f"{total:,}", *shares])
    return Section(
        "What is wrong with the hypotheses",
        "Test hypotheses of the chosen checkpoints, all pairs; `scores.csv` has the counts by pair.",
        ["experiment", "hypotheses", *KINDS.values()],
        rows,
        [
            "A loop is a part of eight words or more that consists of four or more repetitions (characters for zh-CN "
            "and ja).",
            "Languages are told by their words in this split: a lower bound, and nothing about a single sentence.",
        ],
    )


def _checkpoints(results: Results) -> Section:
    averages = [name for name in AVERAGES if results.wide[name].notna().any()]
    rows = [
        [
            results.names[checkpoint.run.key],
            str(checkpoint.number),
            str(checkpoint.step),
            "yes" if checkpoint.chosen else "",
            _number(checkpoint.dev_average),
            *(_number(checkpoint.averages.get(name)) for name in averages),
        ]
        for checkpoint in results.checkpoints
    ]
    return Section(
        "Every checkpoint",
        f"Those that stand for a run are {results.choice}; the averages are on test, but for the dev average.",
        ["experiment", "checkpoint", "step", "chosen", "dev average", *averages],
        rows,
    )


def averages_differ(results: Results, average: str) -> bool:
    """Whether an average is over different pairs in different runs."""
    averaged = [c.run.trained_pairs for c in results.chosen if average in c.averages]
    return len({frozenset(pairs).intersection(AVERAGES[average]) for pairs in averaged}) > 1


def _trained(checkpoint: Checkpoint) -> str:
    trained = set(checkpoint.run.trained_pairs)
    return f"{len(trained & set(X_EN))} X→en, {len(trained & set(EN_X))} en→X"


def _spread(seeds: pd.DataFrame, experiment: str, column: str) -> str:
    """Mean over seeds, and the standard deviation where there are several."""
    if column not in seeds or pd.isna(mean := seeds.at[(experiment, "mean"), column]):
        return ""
    deviation = seeds.at[(experiment, "std"), column]
    return f"{mean:.1f}" + ("" if pd.isna(deviation) else f" ± {deviation:.1f}")


def _share(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.1f} %)" if count else "0"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
