"""Why a training job ended early, from its ranks' logs and from Slurm: the rank, its own last error lines, its log."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llast.disk import FULL, Refusal, refusal_of, refusal_said
from llast.errors import ConfigError, DataError, UserError
from llast.launch import slurm
from llast.launch.job import TrainingJob
from llast.launch.task import ASKED, SAVED, STARTS
from llast.launch.watch import ENDED

Kind = Literal["transient", "defect", "memory", "gpu memory", "disk", "cancelled"]

MOST_LINES, MOST_CHARACTERS, TAIL_BYTES = 4, 300, 200_000
MEMORY = ("MemoryError", "can't allocate memory", "Cannot allocate memory")
GPU_MEMORY = ("OutOfMemoryError", "CUDA out of memory", "CUDA error: out of memory")
CONNECTION_LOST = (
    "Connection closed",
    "Connection reset",
    "Broken pipe",
    "gloo",
    "NCCL",
    "TCPStore",
    "DistNetworkError",
)
"""In the errors of ranks that only notice that another one is gone; by themselves, a fault of the network."""

TRANSIENT = ("CUDA error", "uncorrectable ECC", "address already in use", "EADDRINUSE", "Stale file handle")
DEFECT = ("device-side assert",)
ENDED_BY_SLURM = ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "TIMEOUT", "REVOKED")
KILLED = "ended without a result: it was killed, by hand or for lack of memory"

USER_ERRORS = {f"{error.__module__}.{error.__name__}: ": error for error in (ConfigError, DataError)}
"""By what a traceback calls them, the errors whose message says all: where, why, and what to do."""

ADVICE: dict[Kind, str] = {
    "memory": "Give it more memory: mem_mb of the rule train (per node).",
    "gpu memory": "Lower training.tokens_per_micro_batch, or set training.gradient_checkpointing: true.",
}


@dataclass(frozen=True)
class Failure:
    """Why a job ended.

    Attributes:
        rank: the rank that failed first.
        cause: what it said last, or what became of it.
        log: its log.
        kind: what can be done about it; `transient`: starting it again may help.
        refusal: what the disk did not take, where that is the cause.
    """

    rank: int
    cause: str
    log: Path
    kind: Kind
    refusal: Refusal | None = None

    @property
    def user_error(self) -> UserError | None:
        """What the rank said that a user can mend, of the same kind: a base that is broken, for one."""
        for start, error in USER_ERRORS.items():
            if self.cause.startswith(start):
                return error(f"{self.cause.removeprefix(start)}\n  log: {self.log}")
        return None

    def __str__(self) -> str:
        advice = f"\n  {ADVICE[self.kind]}" if self.kind in ADVICE else ""
        return f"rank {self.rank}: {self.cause}\n  log: {self.log}{advice}"


def find_failure(job: TrainingJob) -> Failure:
    """Look for the rank that failed first: those that only lost their connection to it come last."""
    logs = [_lines_since_start(job.log(rank)) for rank in range(job.machine.ranks)]
    state = slurm.state(job.job_id) if job.on_slurm else ""
    errors = {rank: error for rank, lines in enumerate(logs) if (error := _error(lines))}
    own = [rank for rank, error in errors.items() if not _contains(error, CONNECTION_LOST)]
    killed, event = _killed(job, logs, set(errors))
    memory = (
        state == "OUT_OF_MEMORY" or "Out Of Memory" in event or _contains(logs[0], ("oom-kill", "oom_kill"))
    )

    if state == "CANCELLED":
        return Failure(0, "the job was cancelled (scancel)", job.log(0), "cancelled")
    if own:
        rank = next((rank for rank in own if refusal_said(errors[rank])), own[0])
        refusal = refusal_said(errors[rank])
        kind = "disk" if refusal else _kind(errors[rank])
        return Failure(rank, "\n  ".join(errors[rank]), job.log(rank), kind, refusal)
    for rank, lines in enumerate(logs):
        if said := [line for line in lines if refusal_said([line], FULL)]:
            refusal = refusal_said(said, FULL)
            return Failure(rank, said[-1][:MOST_CHARACTERS], job.log(rank), "disk", refusal)
    if state in ENDED_BY_SLURM:
        return Failure(killed or 0, f"Slurm ended the job: {state}", job.log(killed or 0), "transient")
    if (heard := _stop(logs)) and not (memory or event):  # srun asks the others to stop where one is killed
        rank, cause = heard
        return Failure(rank, cause, job.log(rank), "transient")
    if killed is not None and (refusal := refusal_of(job.folder)):  # the log lacks its error, too
        return Failure(killed, "ended without a word", job.log(killed), "disk", refusal)
    if killed is not None:
        crashed = event.startswith(("Aborted", "Segmentation"))
        cause = "killed for lack of memory" if memory else KILLED
        cause = "\n  ".join([event, *_last_lines(logs[killed])]) if crashed else cause
        return Failure(killed, cause, job.log(killed), "memory" if memory else "transient")
    if errors:
        rank = min(errors)
        return Failure(rank, "\n  ".join(errors[rank]), job.log(rank), "transient")
    return Failure(0, f"the job ended early{f' ({state})' if state else ''}", job.log(0), "transient")


def _stop(logs: list[list[str]]) -> tuple[int, str] | None:
    """The rank that was asked to stop by a signal, if one was, and whether that came to a good end."""
    for rank, lines in enumerate(logs):
        for line in lines:
            if line.startswith(ASKED):
                name = line.removeprefix(ASKED).partition(":")[0].strip()
                saved = [line.removeprefix(SAVED).strip() for line in lines if line.startswith(SAVED)]
                end = (
                    f"stopped in good order: step {saved[-1]} is saved"
                    if saved
                    else "killed before it had saved"
                )
                return rank, f"asked to stop ({name}), and {end}"
    return None


def _killed(job: TrainingJob, logs: list[list[str]], with_error: set[int]) -> tuple[int | None, str]:
    """The rank that srun saw killed first, or one that left neither result nor error, and what srun said of it."""
    for line in logs[0] if job.on_slurm else []:
        found = re.search(
            r"srun: error: \S+: tasks? (\d+)[\d,-]*: (Killed|Out Of Memory|Aborted|Segmentation .*)", line
        )
        if found:
            return int(found[1]), found[2]
    if job.on_slurm and _contains(logs[0], ("oom-kill", "oom_kill")):
        return 0, "Out Of Memory"
    gone = set(range(job.machine.ranks)) - with_error - set(job.ended_ranks())
    left = {rank for rank, lines in enumerate(logs) if any(line.startswith(ENDED) for line in lines)}
    gone = gone - left or gone
    return (min(gone), "") if gone and not job.on_slurm else (None, "")


def _kind(error: Sequence[str]) -> Kind:
    if _contains(error, GPU_MEMORY):
        return "gpu memory"
    if _contains(error, MEMORY):
        return "memory"
    return "transient" if _contains(error, TRANSIENT) and not _contains(error, DEFECT) else "defect"


def _last_lines(lines: list[str]) -> list[str]:
    """What a rank that crashed outside of Python wrote last."""
    own = [
        line for line in lines if line.strip() and not line.startswith(("srun:", "slurmstepd", "submitit"))
    ]
    return [line[:MOST_CHARACTERS] for line in own[-MOST_LINES:]]


def _contains(lines: Sequence[str], words: Sequence[str]) -> bool:
    return any(word in line for line in lines for word in words)


def _error(lines: list[str]) -> list[str]:
    """The last exception of a log without its traceback: the line that names it, and a few that follow."""
    starts = [number for number, line in enumerate(lines) if line == "Traceback (most recent call last):"]
    if not starts:
        return []
    rest = [line for line in lines[starts[-1] + 1 :] if not line.startswith((" ", "srun:", "slurmstepd:"))]
    whole = bool(rest) and rest[0].startswith(tuple(USER_ERRORS))
    return rest[:1] if whole else [line[:MOST_CHARACTERS] for line in rest if line.strip()][:MOST_LINES]


def _lines_since_start(log: Path) -> list[str]:
    """The lines of a log since the job was last started, without torch's marks of the rank."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    lines = [re.sub(r"^\[rank\d+\]:\s?", "", line) for line in lines]
    starts = [number for number, line in enumerate(lines) if line.startswith(STARTS)]
    return lines[starts[-1] :] if starts else lines
