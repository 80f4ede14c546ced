"""COMET, by the command `comet-score` of an environment of its own.

unbabel-comet 2.2 needs transformers < 5, numpy < 2 and huggingface-hub < 1, so that it cannot be installed beside us.
"""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import MetricScore
from llast.config.steps import ScoreOptions
from llast.errors import ConfigError, DataError
from llast.evaluation.metrics.base import Metric
from llast.languages import Language
from llast.temporary import temporary_folder

_SCORE = re.compile(r"\tscore: (-?[\d.]+)\s*$", re.MULTILINE)


def comet(rows: Sequence[Hypothesis], target: Language, options: ScoreOptions) -> MetricScore | None:
    """Mean COMET score (for wmt22-comet-da between 0 and 1); None where no command is named, or all is empty.

    Args:
        rows: hypotheses with their sentences and references.
        target: their language, which COMET does not ask for.
        options: `comet_command`, `comet-score` or its path in its environment, with options of its own such as
            `--gpus 0`; `comet_model`, a model on the Hugging Face hub, or path of a checkpoint.

    Raises:
        ConfigError: there is no such command.
        DataError: it failed; with the last lines that it said.
    """
    command = options.comet_command
    if command is None or not any(row.reference.strip() for row in rows):
        return None
    with temporary_folder(Path(tempfile.gettempdir()) / "comet") as folder:
        files = {}
        for name in ("sentence", "hypothesis", "reference"):
            files[name] = folder / f"{name}.txt"
            # a text a line: separators inside a text would make two of it
            lines = "".join(" ".join(getattr(row, name).split()) + "\n" for row in rows)
            files[name].write_text(lines, encoding="utf-8")
        arguments = ["-s", files["sentence"], "-t", files["hypothesis"], "-r", files["reference"]]
        try:
            done = subprocess.run(
                [
                    *shlex.split(command),
                    *map(str, arguments),
                    "--model",
                    options.comet_model,
                    "--quiet",
                    "--only_system",
                ],
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
    return MetricScore(value=float(found[-1]), signature=f"comet|model:{options.comet_model}")


COMET = Metric(
    "comet",
    "COMET",
    "translations",
    comet,
    "the model's own, often 0 to 1",
    applies=lambda code, options: options.comet_command is not None,
    limits=(None, None),
    digits=3,
)
