"""How Snakemake ends when the user has to mend something: with the exit code of `llast.errors`, not always 1.

Snakemake 9 keeps the exit code of a failed job in one place, its own log, as the text of the standard library's
`CalledProcessError`: the exception itself stays in a worker thread, loggers' events have no code, and a file that verbs
would leave could not tell a last attempt from one that a retry made good, nor hold what a killed verb ended with. A
job that Snakemake submits to Slurm has its code in a log of its own; there the workflow ends with 1.
"""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llast.config.resolved import ResolvedConfig, resolve
from llast.config.yaml_file import read_yaml
from llast.errors import ConfigError, DataError, JobError, UserError

_USERS = {error.exit_code for error in (ConfigError, DataError, JobError)}


@contextlib.contextmanager
def user_errors_end() -> Iterator[None]:
    """A user's error is printed and ends Snakemake with the error's exit code."""
    try:
        yield
    except UserError as error:
        print(f"llast: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def resolve_or_exit(values: Mapping[str, Any], files: Sequence[str | Path]) -> ResolvedConfig:
    """`resolve` for Snakemake."""
    with user_errors_end():
        return resolve(values, files)


def readable_or_exit(file: str) -> str:
    """A configuration's file that Snakemake is about to read, whose own message names no line, if any.

    One that is given by `--configfile` it reads before all else.
    """
    with user_errors_end():
        if Path(file).exists():
            read_yaml(Path(file))
    return file


def exit_as_the_steps(logs: Sequence[str]) -> None:
    """End Snakemake with the exit code of the steps that failed, if all of them failed for what a user can mend.

    Args:
        logs: Snakemake's own log files.
    """
    text = "".join(Path(log).read_text(encoding="utf-8", errors="replace") for log in logs)
    codes = {int(code) for code in re.findall(r"returned non-zero exit status (\d+)", text)}
    if codes and codes <= _USERS:
        sys.exit(min(codes))
