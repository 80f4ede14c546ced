"""The step `table`: the scores of all runs as a tidy list, a wide BLEU table, the spread over seeds, and to read."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from llast.artifacts import write_text
from llast.artifacts.comparison import Comparison
from llast.markup import csv_cell
from llast.results.averages import AVERAGES, Case
from llast.results.checkpoints import KEY, Results, read_results
from llast.results.markdown import as_markdown
from llast.results.published import read_published
from llast.results.sections import sections

FLAGS = {True: "true", False: "false"}


def table(
    runs: Sequence[Path],
    scores: Sequence[Path],
    output: Path,
    comparisons: Sequence[Path] = (),
    published: Path | None = None,
    case: Case = "cased",
) -> None:
    """Write `bleu_table.csv`, `scores.csv`, `bleu_seeds.csv` and `bleu_table.md` into the folder `output`.

    `scores.csv` is tidy: every metric of every checkpoint, split and pair, `faults_*` among them; error rates of
    transcripts have the spoken language in place of a pair. The wide `bleu_table.csv` holds test BLEU: a row per
    experiment, seed and checkpoint, a column per pair in the order of `languages.PAIRS` and the averages of
    `AVERAGES`, taken over the pairs that the experiment trained on. `bleu_seeds.csv` has mean and standard deviation
    over seeds. Checkpoints are chosen on dev only.

    Args:
        runs: `run.json` of each run.
        scores: files of the step `score`, of all their checkpoints.
        output: folder to write to.
        comparisons: files of the step `compare`.
        published: CSV of published scores to set beside ours, of pairs with CoVoST-2's complete test set; None leaves
            them out.
        case: the BLEU of the table.

    Raises:
        DataError: a file is missing, doubled or broken.
    """
    results = read_results(runs, scores, case)
    known = read_published(published, results.official_pairs) if published else []
    page = sections(results, [Comparison.read(path) for path in comparisons], known)
    write_text(output / "scores.csv", _csv(_tidy(results), 4))
    write_text(output / "bleu_seeds.csv", _csv(_seeds(results), 2))
    write_text(output / "bleu_table.md", as_markdown(page))
    write_text(output / "bleu_table.csv", _csv(_wide(results), 2))


def _tidy(results: Results) -> pd.DataFrame:
    """In the order of runs and checkpoints, of a checkpoint dev before test; counts without a point."""
    found = results.scores.copy()
    counts = found["metric"].str.startswith("faults_")
    found["trained"] = found["trained"].map(FLAGS)
    found["value"] = found["value"].map("{:.4f}".format).where(~counts, found["value"].map("{:.0f}".format))
    return found


def _wide(results: Results) -> pd.DataFrame:
    found = results.wide.reindex(columns=[*results.pairs, *AVERAGES]).reset_index()
    found.insert(len(KEY), "step", [checkpoint.step for checkpoint in results.checkpoints])
    found.insert(len(KEY) + 1, "chosen", [FLAGS[checkpoint.chosen] for checkpoint in results.checkpoints])
    return found


def _seeds(results: Results) -> pd.DataFrame:
    """Mean and standard deviation of each experiment's chosen checkpoints, a row each."""
    found = results.seeds.reindex(columns=[*results.pairs, *AVERAGES]).reset_index()
    found["statistic"] = found["statistic"].replace("std", "deviation")
    found.insert(1, "seeds", [len(results.by_experiment[name]) for name in found["experiment"]])
    return found


def _csv(frame: pd.DataFrame, digits: int) -> str:
    safe = frame.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    text: str = safe.to_csv(index=False, float_format=f"%.{digits}f", lineterminator="\n")
    return text
