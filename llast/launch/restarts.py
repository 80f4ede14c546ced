"""How often a training was started since its last new checkpoint: what bounds requeues and new submissions.

The job itself counts, since Slurm requeues it while no launcher looks.
"""

from llast.artifacts.training import Starts
from llast.errors import JobError
from llast.training.run_folder import RunFolder

MOST = 3
"""Starts in a row without a new checkpoint, besides the first."""


def count_start(run: RunFolder) -> None:
    """Note that a job starts; rank 0 calls this.

    Raises:
        JobError: it has started too often without a new checkpoint.
    """
    in_vain = _in_vain(run)
    Starts(step=run.newest_step(), in_vain=in_vain).write(run.restarts)
    if in_vain > MOST:
        raise JobError(
            f"started {in_vain + 1} times without a new checkpoint. A checkpoint is saved every training.save_every "
            "steps and before a job's time is over: let it have more time, or save more often."
        )


def left(run: RunFolder) -> bool:
    """Whether another start is allowed."""
    return _in_vain(run) <= MOST


def forget(run: RunFolder) -> None:
    """Count from zero: a user starts the training by hand."""
    run.restarts.unlink(missing_ok=True)


def _in_vain(run: RunFolder) -> int:
    """Starts without a new checkpoint, the coming one included."""
    if not run.restarts.exists():
        return 0
    earlier = Starts.read(run.restarts)
    return earlier.in_vain + 1 if earlier.step == run.newest_step() else 0
