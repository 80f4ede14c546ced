"""Which machine a process runs on, and which process it is there: by what a set clock does not change."""

import os
import socket
from pathlib import Path

import psutil

from llast.artifacts.training import Place


def here() -> Place:
    """Where this process runs."""
    return Place(
        host=socket.gethostname(), boot=_read("/proc/sys/kernel/random/boot_id"), processes=_processes()
    )


def started(pid: int) -> int:
    """When a process started, in ticks since the machine did: what tells it from another that got its number later.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    stat = _read(f"/proc/{pid}/stat")
    if stat:
        return int(stat.rpartition(")")[2].split()[19])  # the name before it may hold anything; see proc(5)
    return int(psutil.Process(pid).create_time())  # no Linux


def _processes() -> str:
    """The numbering that process ids belong to: that of the machine or of a container."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
