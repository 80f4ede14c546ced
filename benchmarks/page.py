"""docs/performance.md from the records of the benchmarks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from record import number

from llast.markup import markdown_row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
Record = Mapping[str, Any]

HEAD = """# Performance, measured

Written by `make bench` (reduced sizes, minutes), `make bench FULL=1` (the sizes that the claims speak of, more than an
hour) and, on a machine with a GPU, `make bench GPU=1` (the shapes of LLaST-2B), from the records of the scripts in
`benchmarks/`; do not edit. A row holds its machine's newest record of the larger size, of `benchmarks/results/` or
`benchmarks/kept/`.

*Ratio*: how many times better ours is than the alternative, both measured in turn in one run. Times and rates are
medians of so many *rounds*, memory is the most of them. *Limit*: what the hardware allows, and how *near* to it ours
is. *Target*: what the claim asks for. Rows called *growth* say what one more unit of work costs at 4 to 16 times the
work, against 1 to 4 times; what grows a little in tables is the sort of the rows (n log n) and what no longer fits the
processor's caches. Scoring takes more processor time than sacreBLEU's command line because it computes more: BLEU by
clip length, faults, samples.
"""


def read_records(folders: Iterable[Path]) -> list[Record]:
    """All records in `*.json` of the folders; of the same name and machine the newest of the larger size."""
    found: dict[tuple[str, str], Record] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            for record in json.loads(path.read_text(encoding="utf-8")):
                key = record["name"], record["machine"]
                if key not in found or _weight(record) >= _weight(found[key]):
                    found[key] = record
    return sorted(found.values(), key=lambda record: (record["machine"], record["command"], record["name"]))


def _weight(record: Record) -> tuple[bool, str]:
    return record["full"], record["date"]


def render(records: Sequence[Record]) -> str:
    """The page: a table for each machine."""
    parts = [HEAD]
    for machine in sorted({record["machine"] for record in records}):
        parts.append(f"\n## {machine}\n")
        parts.append(
            "| claim | ours | target | alternative | ratio | limit | near | rounds | size | date | command |"
        )
        parts.append("|---|---:|---:|---:|---:|---:|---:|---:|---|---|---|")
        parts += [_row(record) for record in records if record["machine"] == machine]
    return "\n".join(parts) + "\n"


def _row(record: Record) -> str:
    unit = record["unit"]
    cells = [
        f"**{record['name']}**: {record['claim']}",
        _named(record["ours"], unit, record.get("ours_is", "")),
        _named(record["target"], unit, "met" if record["met"] else "**missed**"),
        _named(record["alternative"], unit, record["alternative_is"]),
        "" if record["ratio"] is None else f"{record['ratio']:.2f}",
        _named(record["limit"], unit, record["limit_is"]),
        "" if record["nearness"] is None else f"{record['nearness']:.0%}",
        str(record["rounds"]),
        "full" if record["full"] else "reduced",
        record["date"],
        f"`{record['command']}`",
    ]
    return markdown_row(cells)


def _named(value: float | None, unit: str, what: str) -> str:
    return "" if value is None else f"{number(value)} {unit}" + (f" ({what})" if what else "")
