"""The lock of a run's folder: whoever trains in it holds it, or is about to start who will.

It is the kernel's (flock): it ends with its holder, however that ends, no clock has a part in it, and it is seen from
containers and, over NFS and most shared file systems, from other machines.
"""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator

from llast.artifacts.training import LockHolder
from llast.errors import DataError, JobError
from llast.launch.place import here
from llast.launch.record import job_record
from llast.temporary import NO_LOCKS
from llast.training.run_folder import RunFolder

PATIENCE_S = {"local": 20.0, "slurm": 180.0}
"""Time to wait for a holder that is about to end; a file server gives a node that failed up to two minutes."""

LOOK_S, SAY_AFTER_S = 0.2, 3.0


@contextlib.contextmanager
def locked(run: RunFolder, patience_s: float) -> Iterator[bool]:
    """Hold the lock of a run's folder, and leave one's name there; yields whether the file system has locks at all.

    Raises:
        JobError: somebody else holds it, all the time.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    handle = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        has_locks = _acquire(handle, run, patience_s)
        name = LockHolder(place=here(), pid=os.getpid()).model_dump_json().encode()
        os.ftruncate(handle, 0)
        os.pwrite(handle, name, 0)
        yield has_locks
    finally:
        os.close(handle)


def _acquire(handle: int, run: RunFolder, patience_s: float) -> bool:
    began, said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in NO_LOCKS:
                return False
            raise
        waited = time.monotonic() - began
        if waited > patience_s:
            raise JobError(_held(run))
        if waited > SAY_AFTER_S and not said:
            print(f"train: {_holder(run)} trains in {run.path}; is it ending?", file=sys.stderr, flush=True)
            said = True
        time.sleep(LOOK_S)


def _held(run: RunFolder) -> str:
    try:
        pid = LockHolder.read(run.lock).pid
    except DataError:
        pid = None
    end = f": kill {pid}" if pid else ""
    return (
        f"{_holder(run)} trains in {run.path} already. Wait for its end, or end it there{end} (it saves and stops). "
        f"If there is no such process any more, delete {run.lock} and run the same command again."
    )


def _holder(run: RunFolder) -> str:
    try:
        found = LockHolder.read(run.lock)
    except DataError:  # it is writing its name
        return "another process"
    return f"process {found.pid} on {found.place.host}"


def require_known(run: RunFolder, has_locks: bool) -> None:
    """See that no training of another machine goes on in this folder; the caller holds its lock.

    Raises:
        JobError: that cannot be known from here; with the command that settles it.
    """
    record = job_record(run)
    if record is None:
        return
    there, now = record.place, here()
    if record.ended or record.machine.cluster != "local" or there is None or there == now:
        return
    if has_locks and there.boot == now.boot:
        return  # in another container of this machine, which would hold the lock
    if there.host == now.host and there.boot != now.boot:
        return  # before this machine was started
    raise JobError(
        f"{record.name} was started on {there.host} (process {record.job_id}), and it cannot be known from "
        f"{now.host} whether it still runs. On {there.host}, see: ps -p {record.job_id}. If it does not, delete "
        f"{run.job} and run the same command again; if it does, follow it there with the same command."
    )
