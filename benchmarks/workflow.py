"""The whole demo on two cores, from nothing to table, report and MLflow; reduced: of the smallest corpus."""

import sys
import tempfile
from pathlib import Path

from record import Measured, clone_like, main, run

SMALLEST = ["--configfile", "tests/workflow/config_small/config.yaml"]
RESULTS = ["results/bleu_table.csv", "results/report.html", "results/track.json"]
TARGET_S = {True: 480.0, False: 120.0}


def measure(full: bool) -> list[Measured]:
    """As `make demo`, without its installation."""
    with tempfile.TemporaryDirectory() as name:
        clone_like(Path(name))
        snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"]
        took = run([*snakemake, *([] if full else SMALLEST), "--", *RESULTS], cwd=name)
    return [
        Measured(
            "demo" if full else "smallest_workflow",
            f"{'the demo' if full else 'the smallest corpus'} from nothing to table, report and MLflow, "
            "on two cores",
            took.seconds,
            "s",
            target=TARGET_S[full],
            lower_is_better=True,
        )
    ]


if __name__ == "__main__":
    main(measure)
