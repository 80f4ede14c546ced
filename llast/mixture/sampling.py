"""Draws that depend on nothing but a seed and a name: the same on any machine, in any order, for any other options."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def uniform(seed: int, *names: object) -> float:
    """A number in [0, 1) that belongs to these names."""
    text = "\t".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64


def repetitions(rows: Counter[str], temperature: float) -> dict[str, float]:
    """How often each row of a source language is used on average. The number of rows stays; languages get shares of
    them in proportion to rows^(1/temperature), as for multilingual BERT and XLM-R (arXiv 1911.02116, 3.1)."""
    weights = {code: count ** (1 / temperature) for code, count in rows.items()}
    total = sum(weights.values())
    return {code: rows.total() * weights[code] / total / count for code, count in rows.items()}


def repeat_rows(table: pa.Table, times: float, seed: int) -> pa.Table:
    """Repeat every row `times` on average: the whole part of it for all, one more for the clips that the seed draws.

    The column `copy` counts the copies of a row from 0. Rows of a clip are repeated alike.
    """
    whole, rest = divmod(times, 1)
    clips = table["clip"].to_pylist()
    copies = np.full(len(clips), int(whole))
    if rest > 1e-9:
        copies += np.fromiter(
            (uniform(seed, clip, "copy") < rest for clip in clips), dtype=int, count=len(clips)
        )
    rows = np.repeat(np.arange(len(clips)), copies)
    ends = np.cumsum(copies)
    copy = np.arange(len(rows)) - np.repeat(ends - copies, copies)
    return table.take(pa.array(rows)).set_column(
        table.column_names.index("copy"), table.schema.field("copy"), pa.array(copy, pa.int32())
    )


def draw_speeds(table: pa.Table, speeds: Sequence[float], seed: int) -> pa.Table:
    """Draw the speed at which every clip (each of its copies) is played, and divide `seconds` by it."""
    drawn = np.fromiter(
        (
            speeds[int(uniform(seed, clip, copy, "speed") * len(speeds))]
            for clip, copy in zip(table["clip"].to_pylist(), table["copy"].to_pylist(), strict=True)
        ),
        dtype=np.float64,
        count=len(table),
    )
    seconds = table["seconds"].to_numpy() / drawn
    for name, values in (("speed", drawn), ("seconds", seconds)):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    return table
