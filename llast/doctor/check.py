"""What a check finds, and the one way in which checks run other programs."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["good", "warn", "BAD", "-"]


@dataclass(frozen=True)
class Check:
    """One line of `llast doctor`.

    Attributes:
        name: what was looked at.
        status: `good`; `warn`: works, but look; `BAD`: something needed is broken; `-`: not needed here.
        found: what there is.
        remedy: the next thing to do; empty if nothing is.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""

    def line(self) -> str:
        """The check in one line."""
        return f"{self.status:<5} {self.name:<11} {self.found}" + (
            f" -> {self.remedy}" if self.remedy else ""
        )


def ask(
    command: Sequence[str], timeout: float = 10, environment: Mapping[str, str] | None = None
) -> tuple[bool, str]:
    """Run a program; whether it ended well, and what it said: its output, or the last line of its error."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout:.0f} s"
    except OSError as error:
        return False, str(error)
    if result.returncode == 0:
        return True, result.stdout.strip()
    said = (result.stderr or result.stdout).strip().splitlines()
    return False, said[-1] if said else f"ended with code {result.returncode}"
