"""Rows of the dev sets that the loss is measured on while an experiment trains."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llast.config.experiment import MixtureOptions
from llast.languages import split_pair
from llast.mixture.rows import ROWS
from llast.mixture.sampling import uniform

TASKS = ("st", "cot", "asr")
"""The loss on dev is that of the first of these tasks which the experiment trains."""


def dev_rows(folders: Mapping[str, Path], options: MixtureOptions, seed: int) -> pa.Table:
    """`options.dev_rows` rows of the experiment's pairs, as many of each as of the others, drawn by seed and clip.

    Args:
        folders: per pair, the folder of the step filter.
        options: pairs, tasks and how many rows.
        seed: of the experiment.

    Returns:
        rows as in `rows.arrow`, sorted likewise; clips without audio are passed over.
    """
    task = next(task for task in TASKS if options.tasks.get(task, 0) > 0)  # type: ignore[call-overload]
    pairs = list(dict.fromkeys(options.pairs))
    parts = [ROWS.empty_table()]
    for number, pair in enumerate(pairs):
        wanted = (options.dev_rows + len(pairs) - 1 - number) // len(pairs)
        source, target = split_pair(pair)
        table = pq.read_table(folders[pair] / f"{pair}.dev.parquet")
        table = table.filter(pc.is_valid(table["seconds"]))
        drawn = sorted(table.to_pylist(), key=lambda row: uniform(seed, row["clip"], source, "dev"))[:wanted]
        texts = {
            "st": [row["translation"] for row in drawn],
            "cot": [f"{row['sentence']}\n{row['translation']}" for row in drawn],
            "asr": [row["sentence"] for row in drawn],
        }
        columns = {
            "clip": [row["clip"] for row in drawn],
            "source": [source] * len(drawn),
            "task": [task] * len(drawn),
            "target": [source if task == "asr" else target] * len(drawn),
            "text": texts[task],
            "seconds": [row["seconds"] for row in drawn],
            "copy": [0] * len(drawn),
            "speed": [1.0] * len(drawn),
        }
        parts.append(pa.table(columns, schema=ROWS))
    rows = pa.concat_tables(parts)
    return rows.sort_by([(name, "ascending") for name in ("source", "clip", "copy", "task", "target")])
