"""The step `describe`: what `train` does for other experiments, for one that is evaluated as it comes."""

from pathlib import Path

from llast.artifacts import spec_hash
from llast.artifacts.run import Run, RunCheckpoint
from llast.config.steps import STEP_VERSIONS, DescribeOptions
from llast.model.bases import base_identity


def describe(
    experiment: str, seed: int, bases: dict[str, Path], output: Path, options: DescribeOptions
) -> Run:
    """Write `run.json`: one checkpoint, no steps, no training records.

    Args:
        experiment: name of the experiment.
        seed: seed of the run; it changes nothing.
        bases: folders of its models, by name.
        output: the `run.json` to write; its content is also returned.
        options: what it is.
    """
    identity = {
        "step_version": STEP_VERSIONS["describe"],
        "options": options.experiment.model_dump(exclude={"decoding", "description", "baseline"}),
        "bases": {
            key: base_identity(reference, bases[key.partition(".")[0]])
            for key, reference in options.experiment.bases.items()
        },
    }
    run = Run(
        experiment=experiment,
        seed=seed,
        identity=spec_hash(identity),
        trained_pairs=options.pairs,
        checkpoints=[RunCheckpoint(checkpoint=1, step=0)],
        options=options.experiment,
    )
    run.write(output)
    return run
