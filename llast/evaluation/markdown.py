"""The BLEU table as Markdown, laid out so that it also reads well on a terminal."""

from collections.abc import Sequence

from llast.evaluation.checkpoints import AVERAGES, WHOLE, CheckpointScores
from llast.languages import EN_X, X_EN, split_pair

AVERAGE_NAMES = {
    "avg_x_en": "average X→en",
    "avg_en_x": "average en→X",
    "avg_x_en_6": "average of the paper's six",
    "avg_high": "average X→en, high resource",
    "avg_mid": "average X→en, mid resource",
    "avg_low": "average X→en, low resource",
}
"""The averages of the BLEU table in words."""


def pair_name(pair: str) -> str:
    """A pair as people read it: `zh-CN→en`."""
    return "→".join(split_pair(pair))


def markdown_table(every: list[CheckpointScores], chosen: list[CheckpointScores], pairs: list[str]) -> str:
    """Cased test BLEU by pair for the chosen checkpoint of each run, then the averages of every checkpoint.

    Pairs that an experiment did not train on are in italics and marked; they are in none of its averages.
    """
    names = [_run_name(row, chosen) for row in chosen]
    averages = [name for name in AVERAGES if any(row.average(name) is not None for row in every)]
    by_pair = [
        *([pair_name(pair), *(_cell(row, pair) for row in chosen)] for pair in pairs),
        *([AVERAGE_NAMES[name], *(_number(row.average(name)) for row in chosen)] for name in averages),
    ]
    by_checkpoint = [
        [
            _run_name(row, chosen),
            str(row.checkpoint),
            str(row.step),
            "yes" if row in chosen else "",
            _number(row.dev_average),
            *(_number(row.average(name)) for name in averages),
        ]
        for row in every
    ]
    columns = ["experiment", "checkpoint", "step", "chosen", "dev average", *averages]
    return "\n".join(
        [
            "# BLEU on test",
            "",
            "Cased sacreBLEU of the checkpoint chosen on dev.",
            "",
            *_layout(["pair", *names], by_pair),
            "",
            *_notes(chosen, pairs),
            "",
            "## Every checkpoint",
            "",
            "Chosen by the average dev BLEU; the other columns are averages on test.",
            "",
            *_layout(columns, by_checkpoint, left=1),
            "",
        ]
    )


def _run_name(row: CheckpointScores, chosen: list[CheckpointScores]) -> str:
    several = len({other.run.seed for other in chosen}) > 1
    return f"{row.run.experiment} seed {row.run.seed}" if several else row.run.experiment


def _cell(row: CheckpointScores, pair: str) -> str:
    text = _number(row.bleu(pair))
    if text and pair not in row.run.trained_pairs:
        text = f"*{text}* †"
    return text + " ‡" if _incomplete(row, pair) else text


def _incomplete(row: CheckpointScores, pair: str) -> bool:
    scores = row.splits.get("test", {}).get(pair)
    return scores is not None and scores["rows"] < scores["expected"]


def _notes(chosen: list[CheckpointScores], pairs: list[str]) -> list[str]:
    notes = []
    signatures: dict[str, list[str]] = {}
    for pair in pairs:
        for row in chosen:
            signature = row.splits.get("test", {}).get(pair, {}).get("signature")
            if signature and pair not in signatures.setdefault(signature, []):
                signatures[signature].append(pair)
    commonest_last = sorted(signatures.items(), key=lambda item: len(item[1]))
    for signature, users in commonest_last:
        everywhere = signature == commonest_last[-1][0]
        where = (
            ", ".join(map(pair_name, users))
            if not everywhere
            else "all"
            if len(signatures) == 1
            else "all other"
        )
        notes.append(f"- sacreBLEU `{signature}`: {where}{' pairs' if everywhere else ''}.")
    if any(
        row.bleu(pair) is not None and pair not in row.run.trained_pairs for row in chosen for pair in pairs
    ):
        notes.append("- † not trained on by this experiment: shown, but in none of its averages.")
    if any(_incomplete(row, pair) for row in chosen for pair in pairs):
        notes.append("- ‡ scored on fewer rows than the split has; `scores.csv` has both numbers.")
    if any(_differ(name, chosen) for name in AVERAGES):
        counts = "; ".join(f"{row.run.experiment} {_trained(row)}" for row in chosen)
        notes.append(
            f"- Averages are over the pairs that each experiment trained on, and these differ: {counts}."
        )
    if any(row.average("avg_x_en") is not None and row.average(WHOLE[0]) is None for row in chosen):
        notes.append(
            "- The average of the paper's six needs fr, de, es, it, zh-CN and ja into English, all trained."
        )
    return notes


def _differ(average: str, chosen: list[CheckpointScores]) -> bool:
    """Whether an average is over different pairs in different runs."""
    averaged = [row.run.trained_pairs for row in chosen if row.average(average) is not None]
    return len({frozenset(pairs).intersection(AVERAGES[average]) for pairs in averaged}) > 1


def _trained(row: CheckpointScores) -> str:
    trained = set(row.run.trained_pairs)
    return f"{len(trained & set(X_EN))} X→en, {len(trained & set(EN_X))} en→X"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _layout(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A Markdown table with columns padded to one width; the first `left` columns are set flush left."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if i < left else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return [line(header), line(rule), *(line(row) for row in rows)]
