"""What each verb takes, on the smallest corpus: start-up for the most part, and its peak memory."""

import re
import shlex
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from made_up import clip
from record import Measured, Ran, main, run

ROOT = Path(__file__).parents[1]
CONFIG = "tests/workflow/config_small/config.yaml"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", CONFIG]
MODEL = "results/small/seed1"
BY_HAND = {
    "config check": f"llast config check --config {CONFIG}",
    "plan": f"llast plan --configfile {CONFIG}",
    "doctor": f"llast doctor --configfile {CONFIG}",
    "translate talk": f"llast translate talk.mp3 --model {MODEL} --from fr --to en",
    "export": f"llast export --model {MODEL} --output exported",
}
"""Verbs that no step of the workflow calls, or not in this way."""

LIMIT_MIB = 2048.0


def commands(folder: Path) -> list[list[str]]:
    """The commands of all jobs in an order in which they can run."""
    text = run([*SNAKEMAKE, "--dry-run", "--printshellcmds", "--cores", "1"], cwd=folder).output
    return [
        shlex.split(found) for found in re.findall(r"^ *(?:Shell command: )?(llast .*)$", text, re.MULTILINE)
    ]


def measure(full: bool) -> list[Measured]:
    """Each command of the smallest workflow, by itself, then what users type; of several jobs the quickest counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("workflow", "profiles", "llast", "tests", "config", "constraints.txt"):
            (folder / part).symlink_to(ROOT / part)
        ran: dict[str, list[Ran]] = defaultdict(list)
        for command in commands(folder):
            ran[command[1]].append(run([sys.executable, "-m", *command], cwd=folder))
        if not ran:
            raise RuntimeError("the dry run of the smallest workflow shows no commands")
        (folder / "talk.mp3").write_bytes(clip(0, 5.0))
        for verb, typed in BY_HAND.items():
            ran[verb].append(run([sys.executable, "-m", *shlex.split(typed)], cwd=folder))
    quickest = {verb: min(several, key=lambda one: one.seconds) for verb, several in ran.items()}
    heaviest = max(quickest, key=lambda verb: quickest[verb].peak_mib)
    return [
        *(
            Measured(
                f"verb_{verb.replace(' ', '_')}",
                f"`llast {verb}` on the smallest corpus, with start and imports; {one.peak_mib:.0f} MiB at its peak",
                one.seconds,
                "s",
                lower_is_better=True,
            )
            for verb, one in quickest.items()
        ),
        Measured(
            "verb_memory",
            f"no verb's start needs much memory (the largest is `llast {heaviest}`; ranks of a training are jobs of "
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
