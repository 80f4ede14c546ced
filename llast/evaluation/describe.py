"""The step `describe`: what `train` does for other experiments, for one that is evaluated as it comes."""

from pathlib import Path
from typing import Any

from llast.artifacts import model_files, sha256_of, spec_hash, write_json
from llast.config.steps import STEP_VERSIONS, DescribeOptions


def describe(
    experiment: str, seed: int, bases: dict[str, Path], output: Path, options: DescribeOptions
) -> dict[str, Any]:
    """Write `run.json`: one checkpoint, no steps, no training records.

    Args:
        experiment: name of the experiment.
        seed: seed of the run; it changes nothing.
        bases: folders of its models, by name.
        output: the `run.json` to write; its content is also returned.
        options: what it is.
    """
    science = {
        "step_version": STEP_VERSIONS["describe"],
        "experiment": experiment,
        "options": options.experiment.model_dump(exclude={"decoding", "description", "baseline"}),
        # A model of the hub has its revision in the options; one in a folder is known by its files.
        "bases_sha256": {name: _digest(folder) for name, folder in bases.items()},
    }
    key = spec_hash(science)
    run = {
        "kind": options.experiment.kind,
        "experiment": experiment,
        "seed": seed,
        "spec_hash": key,
        "folder": key,  # of training records: there are none
        "trained_pairs": options.pairs,
        "steps": 0,
        "seconds": 0.0,
        "checkpoints": [{"checkpoint": 1, "step": 0}],
        "options": science["options"],
    }
    write_json(output, run)
    return run


def _digest(folder: Path) -> str:
    return spec_hash([[file.name, sha256_of(file)] for file in model_files(folder)])
