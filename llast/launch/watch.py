"""The ranks of a job on one machine watch each other; on Slurm, srun does that.

A rank that dies while the others wait for it at their rendezvous would cost them ten minutes, and one that outlives the
process that looks after the job would go on in a folder where the next training starts.
"""

import contextlib
import os
import pickletools
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

ENDED = "llast: this rank ends, for"
"""Begins the line of a rank that ends because of others."""

CONTROLLER = "the process that started it is gone"
LOOK_S = 0.5
GRACE_S = 5.0
"""Time to notice oneself that a rank is gone, which gives a better message; to end together, too."""


def watch(job: Any) -> None:
    """Look after the other ranks in a thread, and end this process where one has gone without having finished.

    Args:
        job: submitit's environment of a local job.
    """
    threading.Thread(target=_watch, args=(job, os.getppid()), daemon=True).start()


def _watch(job: Any, controller: int) -> None:
    since = float("inf")
    while True:
        time.sleep(LOOK_S)
        reason = CONTROLLER if os.getppid() != controller else _gone(job, controller)
        now = time.monotonic()
        since = min(since, now) if reason else float("inf")
        if reason and (reason == CONTROLLER or now - since > GRACE_S):
            print(f"{ENDED} {reason}", file=sys.stderr, flush=True)
            os._exit(1)  # nothing else ends a process that waits in a collective


def _gone(job: Any, controller: int) -> str:
    """The first rank without a process and without a good result, in words; empty while there is none."""
    for rank in set(range(job.num_tasks)) - _alive(controller):
        if not _finished(job.paths.folder / f"{job.job_id}_{rank}_result.pkl"):
            return f"rank {rank} is gone"
    return ""


def _alive(controller: int) -> set[int]:
    ranks = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(controller).children():
            with contextlib.suppress(
                psutil.Error, KeyError
            ):  # a process that ends has no environment any more
                ranks.add(int(process.environ()["SUBMITIT_LOCAL_GLOBALID"]))
    return ranks


def _finished(result: Path) -> bool:
    """Whether submitit's result, `("success", None)` or `("error", ...)`, is a good one; read, not executed."""
    try:
        steps = pickletools.genops(result.read_bytes())
        return next((text for _, text, _ in steps if isinstance(text, str)), "") == "success"
    except (FileNotFoundError, ValueError):
        return False
