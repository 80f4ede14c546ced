"""What Slurm knows of a job: whether it is in the queue, and how it ended. Works with and without accounting."""

import re
import subprocess

from llast.errors import JobError

TIMEOUT_S = 60


def in_queue(name: str) -> dict[str, str]:
    """This user's jobs of that name which wait, run or are being ended: job id to state.

    Raises:
        JobError: Slurm does not answer.
    """
    command = ["squeue", "--noheader", "--me", f"--name={name}", "--format=%A %T"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise JobError(f"Slurm does not answer: {reason}\n  Run it again when squeue works.") from None
    return dict(line.split() for line in said.splitlines() if line.strip())


def state(job_id: str) -> str:
    """RUNNING, PENDING, NODE_FAIL, TIMEOUT, CANCELLED, OUT_OF_MEMORY, FAILED, ...; empty if nobody knows any more.

    The controller knows for some minutes, the accounting for ever, where there is one.
    """
    found = re.search(r"\bJobState=(\w+)", _ask("scontrol", "show", "job", "--oneliner", job_id))
    if found:
        return found[1]
    command = ("sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={job_id}", "--format=State")
    return (_ask(*command).split() or [""])[0]


def cancel(job_id: str) -> None:
    """End a job, with everything that it runs."""
    _ask("scancel", job_id)


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
