"""How soon every `llast` verb answers `--help`, against a Python that only imports what it describes options with."""

import statistics
import sys
from pathlib import Path

from record import Measured, in_turn, main, run

from llast.cli.verbs import VERBS

TARGET_S = 0.4


def measure(full: bool) -> list[Measured]:
    """The slowest verb counts."""
    llast = str(Path(sys.executable).parent / "llast")
    sides = {verb.name: [llast, *verb.name.split(), "--help"] for verb in VERBS}
    sides["bare"] = [sys.executable, "-c", "import argparse"]
    sides["typed"] = [
        sys.executable,
        "-c",
        "import pydantic; pydantic.BaseModel, pydantic.Field, pydantic.ConfigDict",
    ]
    seconds = in_turn(
        {name: lambda command=command: run(command) for name, command in sides.items()}, 9 if full else 3
    )
    bare, typed = seconds.pop("bare"), seconds.pop("typed")
    slowest = max(seconds, key=lambda verb: seconds[verb])
    memory = {verb: run(sides[verb]).peak_mib for verb in seconds}
    return [
        *(
            Measured(
                f"help_{verb.replace(' ', '_')}",
                f"`llast {verb} --help` answers at once; {memory[verb]:.0f} MiB at its peak",
                one,
                "s",
                limit=TARGET_S,
                limit_is="target",
                lower_is_better=True,
            )
            for verb, one in seconds.items()
        ),
        Measured(
            "help",
            f"`--help` of every verb answers within {TARGET_S} s (the slowest of {len(seconds)} is `llast {slowest}`; "
            f"median {statistics.median(seconds.values()):.2f} s, a bare Python {bare:.3f} s)",
            seconds[slowest],
            "s",
            typed,
            "Python that imports pydantic",
            TARGET_S,
            "target",
            lower_is_better=True,
        ),
        Measured(
            "help_memory",
            "the parser of every verb stays small",
            max(memory.values()),
            "MiB",
            run(sides["typed"]).peak_mib,
            "Python that imports pydantic",
            lower_is_better=True,
        ),
    ]


if __name__ == "__main__":
    main(measure)
