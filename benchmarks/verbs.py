"""How soon every `llast` verb answers `--help`, and what it takes and holds on the smallest corpus."""

import json
import re
import shlex
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from made_up import clip
from record import Measured, Ran, clone_like, in_turn, main, run

from llast.cli.verbs import VERBS

CONFIG = "tests/workflow/config_small/config.yaml"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", CONFIG]
LLAST = [sys.executable, "-m", "llast"]
MODEL = "results/small/seed1"
EXPORTED = {"kind": "pretrained", "model": "./exported", "pairs": ["fr_en"]}
BY_HAND = (
    "config keys",
    "config schema --output schemas",
    f"config show --config {CONFIG}",
    f"config check --config {CONFIG}",
    f"plan --configfile {CONFIG}",
    f"doctor --configfile {CONFIG}",
    f"translate talk.mp3 --model {MODEL} --from fr --to en",
    f"export --model {MODEL} --output exported",
    f"compare --experiment small --baseline small --runs {MODEL}/train/run.json --output comparison.json --scores "
    + " ".join(f"{MODEL}/score/checkpoint{n}.{split}.json" for n in (1, 2) for split in ("dev", "test"))
    + " --translated "
    + " ".join(
        f"{MODEL}/decode/checkpoint{n}/{source}/summary.json" for n in (1, 2) for source in ("fr", "en")
    ),
    "describe --experiment exported --seed 1 --bases model=exported/config.json --output run.json --options "
    + shlex.quote(json.dumps({"experiment": EXPORTED, "pairs": EXPORTED["pairs"]})),
)
"""What no step of the workflow calls."""

NOT_RUN = {"fetch-model", "import-xtuner"}
"""What needs the network, or a checkpoint of the released code."""

HELP_S, HELP_MIB, RUN_MIB = 0.4, 64.0, 2048.0


def measure(full: bool) -> list[Measured]:
    """Help of all verbs in turn, then every command of the smallest workflow and what users type, each by itself."""
    rounds = 9 if full else 3
    helps: dict[str, list[Ran]] = {verb.name: [] for verb in VERBS}
    sides = {verb: lambda verb=verb: helps[verb].append(ask(verb)) for verb in helps}  # type: ignore[misc]
    bare = [sys.executable, "-c", "import pydantic; pydantic.BaseModel, pydantic.Field, pydantic.ConfigDict"]
    described: list[Ran] = []
    in_turn({**sides, "bare": lambda: described.append(run(bare))}, rounds, warm_up=False)
    seconds = {verb: statistics.median(took.seconds for took in several) for verb, several in helps.items()}
    slowest = max(seconds, key=lambda verb: seconds[verb])
    peaks = {verb: max(took.peak_mib for took in several) for verb, several in every_command().items()}
    if forgotten := set(helps) - set(peaks) - NOT_RUN:
        raise RuntimeError(f"no command here runs {', '.join(sorted(forgotten))}: add one to BY_HAND")
    heaviest = max(peaks, key=lambda verb: peaks[verb])
    return [
        Measured(
            "help",
            "every verb answers `--help` at once: the slowest of them, against what describes its options",
            seconds[slowest],
            "s",
            statistics.median(took.seconds for took in described),
            "Python that imports pydantic",
            ours_is=f"`llast {slowest}`, of {len(seconds)} verbs",
            target=HELP_S,
            rounds=rounds,
            lower_is_better=True,
        ),
        Measured(
            "help_memory",
            "the parser of every verb stays small",
            max(took.peak_mib for several in helps.values() for took in several),
            "MiB",
            described[0].peak_mib,
            "Python that imports pydantic",
            target=HELP_MIB,
            rounds=rounds,
            lower_is_better=True,
        ),
        Measured(
            "verb_memory",
            "a laptop has the memory for any verb on the smallest corpus (the ranks of a training are processes of "
            "their own and not counted)",
            peaks[heaviest],
            "MiB",
            ours_is=f"`llast {heaviest}`",
            target=RUN_MIB,
            lower_is_better=True,
        ),
    ]


def ask(verb: str) -> Ran:
    """Its help."""
    return run([str(Path(sys.executable).parent / "llast"), *verb.split(), "--help"])


def every_command() -> dict[str, list[Ran]]:
    """What each verb's commands took."""
    ran: dict[str, list[Ran]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone_like(folder)
        shown = run([*SNAKEMAKE, "--dry-run", "--printshellcmds", "--cores", "1"], cwd=folder).output
        steps = re.findall(r"^ *(?:Shell command: )?llast (.*)$", shown, re.MULTILINE)
        if not steps:
            raise RuntimeError(f"the dry run of the smallest workflow shows no commands:\n{shown}")
        (folder / "talk.mp3").write_bytes(clip(0, 5.0))
        for command in map(shlex.split, (*steps, *BY_HAND)):
            names = (verb.name for verb in VERBS)
            verb = max((name for name in names if command[: len(name.split())] == name.split()), key=len)
            ran[verb].append(run([*LLAST, *command], cwd=folder))
    return ran


if __name__ == "__main__":
    main(measure)
