"""What the readable BLEU table says: scores by pair, beside published ones, what is wrong, and every checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

from llast.results.checkpoints import (
    AVERAGES,
    WHOLE,
    CheckpointScores,
    by_experiment,
    spread,
)
from llast.results.markdown import Section
from llast.evaluation.faults import KINDS
from llast.results.published import CASES, OwnScores, System, beside_ours
from llast.languages import EN_X, PAIRS, X_EN, language, split_pair

AVERAGE_NAMES = {
    "avg_x_en": "average X→en",
    "avg_en_x": "average en→X",
    "avg_x_en_6": "average of the paper's six",
    "avg_high": "average X→en, high resource",
    "avg_mid": "average X→en, mid resource",
    "avg_low": "average X→en, low resource",
}
"""The averages of the BLEU table in words."""

CASE_NAMES = {
    "bleu": "Cased sacreBLEU",
    "bleu_lc": "Lower-cased sacreBLEU, as the released LLaST scorer has it,",
}
CASE_OF = {"bleu": "cased", "bleu_lc": "lower"}
BETTER, WORSE = "▲", "▼"

Comparisons = Mapping[
    tuple[str, int], Mapping[str, Any]
]  # by experiment and seed: what the step `compare` wrote


def pair_name(pair: str) -> str:
    """A pair as people read it: `zh-CN→en`."""
    return "→".join(split_pair(pair))


def run_name(row: CheckpointScores, chosen: Sequence[CheckpointScores]) -> str:
    """An experiment, with the seed where there are several."""
    several = len({other.run.seed for other in chosen}) > 1
    return f"{row.run.experiment} seed {row.run.seed}" if several else row.run.experiment


def sections(
    every: Sequence[CheckpointScores],
    chosen: Sequence[CheckpointScores],
    pairs: Sequence[str],
    comparisons: Comparisons,
    published: Sequence[System],
) -> list[Section]:
    """The page: chosen checkpoints by pair first, every checkpoint last.

    Where an experiment has several seeds, a column is the mean over them and the standard deviation.
    """
    own = own_scores(chosen)
    return [
        _by_pair(every, chosen, pairs, comparisons),
        *_recognition(chosen),
        *(_published(case, systems, pairs) for case, systems in beside_ours(published, own).items()),
        _faults(chosen),
        _checkpoints(every, chosen),
    ]


def own_scores(chosen: Sequence[CheckpointScores]) -> OwnScores:
    """Test BLEU of the chosen checkpoints by run, metric and pair, as far as the pairs were trained on."""
    return {
        run_name(row, chosen): {
            metric: {
                pair: scores[metric]
                for pair, scores in row.splits.get("test", {}).items()
                if pair in row.run.trained_pairs and scores.get(metric) is not None
            }
            for metric in CASE_OF
        }
        for row in chosen
    }


def _by_pair(
    every: Sequence[CheckpointScores],
    chosen: Sequence[CheckpointScores],
    pairs: Sequence[str],
    comparisons: Comparisons,
) -> Section:
    groups = by_experiment(chosen)
    averages = [name for name in AVERAGES if any(row.average(name) is not None for row in every)]
    rows = [
        *([pair_name(pair), *(_cell(own, pair, comparisons) for own in groups.values())] for pair in pairs),
        *(
            [AVERAGE_NAMES[name], *(_spread([row.average(name) for row in own]) for own in groups.values())]
            for name in averages
        ),
    ]
    text = f"{CASE_NAMES[chosen[0].run.metric]} of the checkpoint chosen on dev. Test chooses nothing."
    return Section("BLEU on test", text, ["pair", *groups], rows, _notes(chosen, groups, pairs, comparisons))


def _cell(seeds: Sequence[CheckpointScores], pair: str, comparisons: Comparisons) -> str:
    text = _spread([row.bleu(pair) for row in seeds])
    if text and pair not in seeds[0].run.trained_pairs:
        text = f"*{text}* †"
    mark = significance(seeds, pair, comparisons)
    return f"{text}{' ' + mark if mark else ''}{' ‡' if any(_incomplete(row, pair) for row in seeds) else ''}"


def significance(seeds: Sequence[CheckpointScores], pair: str, comparisons: Comparisons) -> str:
    """The mark of a pair where all seeds of an experiment are better (or all worse) than the baseline's."""
    found = [
        comparisons.get((row.run.experiment, row.run.seed), {}).get("pairs", {}).get(pair) for row in seeds
    ]
    signs = {result["difference"] > 0 for result in found if result and result["significant"]}
    if len(signs) != 1 or not all(result and result["significant"] for result in found):
        return ""
    return BETTER if signs.pop() else WORSE


def _incomplete(row: CheckpointScores, pair: str) -> bool:
    scores = row.splits.get("test", {}).get(pair)
    return scores is not None and scores["rows"] < scores["expected"]


def _notes(
    chosen: Sequence[CheckpointScores],
    groups: Mapping[str, Sequence[CheckpointScores]],
    pairs: Sequence[str],
    comparisons: Comparisons,
) -> list[str]:
    notes = _signature_notes(chosen, pairs)
    for experiment, one in {key[0]: value for key, value in comparisons.items()}.items():
        notes.append(
            f"{BETTER} {WORSE} in the column of {experiment}: better or worse than {one['baseline']['experiment']} by "
            f"more than chance ({one['test']}; {one['correction']})"
            + ("; marked where all seeds agree." if len(groups[experiment]) > 1 else ".")
        )
    if any(len(own) > 1 for own in groups.values()):
        counts = "; ".join(f"{name} {len(own)} seeds" for name, own in groups.items() if len(own) > 1)
        notes.append(f"Mean ± standard deviation over seeds: {counts}. Each is in `bleu_seeds.csv`.")
    if any(
        row.bleu(pair) is not None and pair not in row.run.trained_pairs for row in chosen for pair in pairs
    ):
        notes.append("† not trained on by this experiment: shown, but in none of its averages.")
    if any(_incomplete(row, pair) for row in chosen for pair in pairs):
        notes.append("‡ scored on fewer rows than the split has; `scores.csv` has both numbers.")
    if any(_differ(name, chosen) for name in AVERAGES):
        counts = "; ".join(f"{row.run.experiment} {_trained(row)}" for row in chosen)
        notes.append(
            f"Averages are over the pairs that each experiment trained on, and these differ: {counts}."
        )
    if any(row.average("avg_x_en") is not None and row.average(WHOLE[0]) is None for row in chosen):
        notes.append(
            "The average of the paper's six needs fr, de, es, it, zh-CN and ja into English, all trained."
        )
    return notes


def _signature_notes(chosen: Sequence[CheckpointScores], pairs: Sequence[str]) -> list[str]:
    key = {"bleu": "signature", "bleu_lc": "signature_lc"}[chosen[0].run.metric]
    signatures: dict[str, list[str]] = {}
    for pair in pairs:
        for row in chosen:
            signature = row.splits.get("test", {}).get(pair, {}).get(key)
            if signature and pair not in signatures.setdefault(signature, []):
                signatures[signature].append(pair)
    commonest_last = sorted(signatures.items(), key=lambda item: len(item[1]))
    notes = []
    for signature, users in commonest_last:
        if len(signatures) == 1:
            where = "all pairs"
        elif signature == commonest_last[-1][0]:
            where = "all other pairs"
        else:
            where = ", ".join(map(pair_name, users))
        notes.append(f"sacreBLEU `{signature}`: {where}.")
    return notes


def _recognition(chosen: Sequence[CheckpointScores]) -> list[Section]:
    """Error rates by spoken language, where transcripts were scored."""
    found = {run_name(row, chosen): row.recognition.get("test", {}) for row in chosen}
    codes = list(dict.fromkeys(split_pair(pair)[0] for pair in PAIRS))
    codes = [code for code in codes if any(code in scores for scores in found.values())]
    if not codes:
        return []
    signatures = {scores[c]["signature"] for scores in found.values() for c in codes if c in scores}
    rows = [
        [
            f"{code} ({'WER' if language(code).spaced else 'CER'})",
            *(_number(scores.get(code, {}).get("value")) for scores in found.values()),
        ]
        for code in codes
    ]
    return [
        Section(
            "Recognition errors on test",
            "Errors per 100 words (WER), per 100 characters for zh-CN and ja (CER); lower is better.",
            ["language", *found],
            rows,
            [f"`{signature}`" for signature in sorted(signatures)],
        )
    ]


def _published(case: str, systems: Sequence[System], pairs: Sequence[str]) -> Section:
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


def _faults(chosen: Sequence[CheckpointScores]) -> Section:
    rows = []
    for row in chosen:
        pairs = row.splits.get("test", {}).values()
        counts = [sum(scores.get("faults", {}).get(kind, 0) for scores in pairs) for kind in KINDS]
        total = sum(scores["rows"] for scores in pairs)
        rows.append([run_name(row, chosen), f"{total:,}", *(_share(count, total) for count in counts)])
    return Section(
        "What is wrong with the hypotheses",
        "Test hypotheses of the chosen checkpoints, all pairs; `scores.csv` has the counts by pair.",
        ["experiment", "hypotheses", "empty", "repetition loop", "wrong script", "wrong language"],
        rows,
        [
            "A loop is a part of eight words or more that consists of four or more repetitions (characters for zh-CN "
            "and ja).",
            "Languages are told by their words in this split: a lower bound, and nothing about a single sentence.",
        ],
    )


def _checkpoints(every: Sequence[CheckpointScores], chosen: Sequence[CheckpointScores]) -> Section:
    averages = [name for name in AVERAGES if any(row.average(name) is not None for row in every)]
    rows = [
        [
            run_name(row, chosen),
            str(row.checkpoint),
            str(row.step),
            "yes" if row in chosen else "",
            _number(row.dev_average),
            *(_number(row.average(name)) for name in averages),
        ]
        for row in every
    ]
    return Section(
        "Every checkpoint",
        "Chosen by the average dev BLEU; the other columns are averages on test.",
        ["experiment", "checkpoint", "step", "chosen", "dev average", *averages],
        rows,
    )


def _differ(average: str, chosen: Sequence[CheckpointScores]) -> bool:
    """Whether an average is over different pairs in different runs."""
    averaged = [row.run.trained_pairs for row in chosen if row.average(average) is not None]
    return len({frozenset(pairs).intersection(AVERAGES[average]) for pairs in averaged}) > 1


def _trained(row: CheckpointScores) -> str:
    trained = set(row.run.trained_pairs)
    return f"{len(trained & set(X_EN))} X→en, {len(trained & set(EN_X))} en→X"


def _spread(values: Sequence[float | None]) -> str:
    found = spread(values)
    if found is None:
        return ""
    return f"{found.mean:.1f}" + ("" if found.deviation is None else f" ± {found.deviation:.1f}")


def _share(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.1f} %)" if count else "0"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
