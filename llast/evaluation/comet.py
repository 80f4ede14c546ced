"""COMET, by the command `comet-score` of an environment of its own.

unbabel-comet 2.2 needs transformers < 5, numpy < 2 and huggingface-hub < 1, so that it cannot be installed beside us.
"""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llast.errors import ConfigError, DataError

_SCORE = re.compile(r"\tscore: (-?[\d.]+)\s*$", re.MULTILINE)


def comet(
    command: str, model: str, sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]
) -> float:
    """Mean COMET score of a pair (for wmt22-comet-da between 0 and 1, higher is better).

    Args:
        command: `comet-score`, or its path in its environment, with options of its own such as `--gpus 0`.
        model: name of a model on the Hugging Face hub, such as Unbabel/wmt22-comet-da, or path of a checkpoint.

    Raises:
        ConfigError: there is no such command.
        DataError: it failed; with the last lines that it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, texts in (("source", sources), ("hypothesis", hypotheses), ("reference", references)):
            files[name] = Path(folder) / f"{name}.txt"
            # a text a line: separators inside a text would make two of it
            lines = "".join(" ".join(text.split()) + "\n" for text in texts)
            files[name].write_text(lines, encoding="utf-8")
        arguments = ["-s", files["source"], "-t", files["hypothesis"], "-r", files["reference"]]
        try:
            done = subprocess.run(
                [*shlex.split(command), *map(str, arguments), "--model", model, "--quiet", "--only_system"],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise ConfigError(
                f"comet_command: there is no command '{command}'. Install unbabel-comet in an environment of its own "
                "and give the path of its comet-score, or set comet_command to null."
            ) from None
    found = _SCORE.findall(done.stdout)
    if done.returncode or not found:
        said = "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise DataError(f"'{command}' ended with {done.returncode} and no score. Its last lines:\n  {said}")
    return float(found[-1])
