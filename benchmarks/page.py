"""docs/performance.md from the records of the benchmarks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from record import number

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
Record = Mapping[str, Any]

HEAD = """# Performance, measured

Written by `make bench` (reduced sizes, minutes) and `make bench FULL=1` (the sizes that the claims speak of, an hour)
from the records of the scripts in `benchmarks/`; do not edit. Both sides of a ratio were measured in turn in one run,
medians of several rounds where one takes less than minutes; above 1, ours is better. *Near* is the share of the limit
that is reached, *size* says which of the two sizes it was. A row holds the last record of its machine, of
`benchmarks/results/` or `benchmarks/kept/`.
"""


def read_records(folders: Iterable[Path]) -> list[Record]:
    """All records in `*.json` of the folders; of the same name and machine the last one found holds."""
    found = {
        (record["name"], record["machine"]): record
        for folder in folders
        for path in sorted(folder.glob("*.json"))
        for record in json.loads(path.read_text(encoding="utf-8"))
    }
    return sorted(found.values(), key=lambda record: (record["machine"], record["command"], record["name"]))


def render(records: Sequence[Record]) -> str:
    """The page: a table for each machine."""
    parts = [HEAD]
    for machine in sorted({record["machine"] for record in records}):
        parts.append(f"\n## {machine}\n")
        parts.append("| claim | ours | alternative | ratio | limit | near | size | date | command |")
        parts.append("|---|---:|---:|---:|---:|---:|---|---|---|")
        parts += [_row(record) for record in records if record["machine"] == machine]
    return "\n".join(parts) + "\n"


def _row(record: Record) -> str:
    unit = record["unit"]
    cells = [
        f"**{record['name']}**: {record['claim']}",
        f"{number(record['ours'])} {unit}",
        _named(record["alternative"], unit, record["alternative_is"]),
        "" if record["ratio"] is None else f"{record['ratio']:.2f}",
        _named(record["limit"], unit, record["limit_is"]),
        "" if record["nearness"] is None else f"{record['nearness']:.0%}",
        "full" if record["full"] else "reduced",
        record["date"],
        f"`{record['command']}`",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _named(value: float | None, unit: str, what: str) -> str:
    return "" if value is None else f"{number(value)} {unit} ({what})"
