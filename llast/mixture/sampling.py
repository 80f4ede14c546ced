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


def repeats(rows: Counter[str], temperature: float) -> dict[str, float]:
    """How often each row of a source language is used on average, so that languages get shares proportional to
    rows^(1/temperature) of as many rows as there are (as for multilingual BERT and XLM-R, arXiv 1911.02116 3.1)."""
    weights = {code: count ** (1 / temperature) for code, count in rows.items()}
    total = sum(weights.values())
    return {code: rows.total() * weights[code] / total / count for code, count in rows.items()}


def repeat(table: pa.Table, often: float, seed: int) -> pa.Table:
    """Use every row `often` times on average: the whole part for all, one more for the clips that the seed draws.

    The column `copy` counts the uses of a row from 0. Rows of a clip share their fate.
    """
    whole, rest = divmod(often, 1)
    clips = table["clip"].to_pylist()
    times = np.full(len(clips), int(whole))
    if rest > 1e-9:
        times += np.fromiter(
            (uniform(seed, clip, "copy") < rest for clip in clips), dtype=int, count=len(clips)
        )
    rows = np.repeat(np.arange(len(clips)), times)
    ends = np.cumsum(times)
    copy = np.arange(len(rows)) - np.repeat(ends - times, times)
    return table.take(pa.array(rows)).set_column(
        table.column_names.index("copy"), table.schema.field("copy"), pa.array(copy, pa.int32())
    )


def play(table: pa.Table, speeds: Sequence[float], seed: int) -> pa.Table:
    """Draw the speed of every clip (of each of its copies), and shorten or lengthen `seconds` accordingly."""
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
