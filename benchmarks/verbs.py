"""What each step of the workflow takes on the smallest corpus: start-up for the most part, and its peak memory."""

import re
import shlex
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from record import Measured, Ran, main, run

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", "tests/workflow/config_small/config.yaml"]
LIMIT_MIB = 2048.0


def commands(folder: Path) -> list[list[str]]:
    """The commands of all jobs in an order in which they can run."""
    text = run([*SNAKEMAKE, "--dry-run", "--printshellcmds", "--cores", "1"], cwd=folder).output
    return [
        shlex.split(found) for found in re.findall(r"^ *(?:Shell command: )?(llast .*)$", text, re.MULTILINE)
    ]


def measure(full: bool) -> list[Measured]:
    """Each command of the smallest workflow, run by itself; a verb's figures are those of its quickest job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("workflow", "profiles", "llast", "tests"):
            (folder / part).symlink_to(ROOT / part)
        ran: dict[str, list[Ran]] = defaultdict(list)
        for command in commands(folder):
            ran[command[1]].append(run([sys.executable, "-m", *command], cwd=folder))
    if not ran:
        raise RuntimeError("the dry run of the smallest workflow shows no commands")
    quickest = {verb: min(several, key=lambda one: one.seconds) for verb, several in ran.items()}
    heaviest = max(quickest, key=lambda verb: quickest[verb].peak_mib)
    return [
        *(
            Measured(
                f"verb_{verb}",
                f"`llast {verb}` on the smallest corpus, with start and imports; {one.peak_mib:.0f} MiB at its peak",
                one.seconds,
                "s",
                lower_is_better=True,
            )
            for verb, one in quickest.items()
        ),
        Measured(
            "verb_memory",
            f"no step's start needs much memory (the largest is `llast {heaviest}`; ranks of a training are jobs of "
            "their own and not counted)",
            quickest[heaviest].peak_mib,
            "MiB",
            limit=LIMIT_MIB,
            limit_is="a laptop's spare memory",
            lower_is_better=True,
        ),
    ]


if __name__ == "__main__":
    main(measure)
