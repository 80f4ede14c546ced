"""How Snakemake ends when the user has to mend something: with the exit code of `llast.errors`, not always 1."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llast.config.plan import Plan, make_plan
from llast.errors import ConfigError, DataError, JobError, UserError

_USERS = {error.exit_code for error in (ConfigError, DataError, JobError)}


def plan_or_exit(values: Mapping[str, Any], files: Sequence[str | Path]) -> Plan:
    """`make_plan`; a user's error is printed and ends Snakemake with the error's exit code."""
    try:
        return make_plan(values, files)
    except UserError as error:
        print(f"llast: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def exit_as_the_steps(logs: Sequence[str]) -> None:
    """End Snakemake with the exit code of the steps that failed, if all of them failed for what a user can mend.

    Args:
        logs: Snakemake's own log files, the only place where it keeps the codes.
    """
    text = "".join(Path(log).read_text(encoding="utf-8") for log in logs)
    codes = {int(code) for code in re.findall(r"returned non-zero exit status (\d+)", text)}
    if codes and codes <= _USERS:
        sys.exit(min(codes))
