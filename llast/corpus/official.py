"""What CoVoST-2 has published about its tables: rows of each split, size and digest of each archive."""

import csv
from functools import cache
from pathlib import Path

TABLES = "https://dl.fbaipublicfiles.com/covost/covost_v2.{pair}.tsv.tar.gz"
"""Where the archive of a pair's table lies."""


@cache
def official_table() -> dict[str, dict[str, str]]:
    """Columns `train`, `dev`, `test` (rows), `tsv_tar_gz_bytes` and `tsv_tar_gz_sha256`, by pair."""
    with Path(__file__).with_name("official_counts.tsv").open(encoding="utf-8", newline="") as file:
        return {row["pair"]: row for row in csv.DictReader(file, delimiter="\t")}
