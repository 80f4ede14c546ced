"""How often a training was started since its last new checkpoint: what bounds requeues and new submissions.

`restarts.json` lies in the run's folder. The job itself writes it, since Slurm requeues a job while no launcher looks.
"""

from pathlib import Path

from llast.artifacts import read_json, write_json
from llast.errors import JobError

FILE = "restarts.json"
MOST = 3
"""Starts in a row without a new checkpoint, besides the first."""


def newest_step(run_folder: Path) -> int:
    """Step of the newest complete checkpoint, 0 without one."""
    markers = (run_folder / "checkpoints").glob("step-*/complete.json")
    return max((int(marker.parent.name.removeprefix("step-")) for marker in markers), default=0)


def count_start(run_folder: Path) -> None:
    """Note that a job starts; rank 0 calls this.

    Raises:
        JobError: it has started too often without a new checkpoint.
    """
    in_vain = _in_vain(run_folder)
    write_json(run_folder / FILE, {"step": newest_step(run_folder), "in_vain": in_vain})
    if in_vain > MOST:
        raise JobError(
            f"started {in_vain + 1} times without a new checkpoint. A checkpoint is saved every training.save_every "
            "steps and before a job's time is over: let it have more time, or save more often."
        )


def left(run_folder: Path) -> bool:
    """Whether another start is allowed."""
    return _in_vain(run_folder) <= MOST


def forget(run_folder: Path) -> None:
    """Count from zero: a user starts the training by hand."""
    (run_folder / FILE).unlink(missing_ok=True)


def _in_vain(run_folder: Path) -> int:
    """Starts without a new checkpoint, the coming one included."""
    path = run_folder / FILE
    if not path.exists():
        return 0
    earlier = read_json(path)
    return int(earlier["in_vain"]) + 1 if earlier["step"] == newest_step(run_folder) else 0
