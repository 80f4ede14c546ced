"""What submitit starts on every process of a training job."""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from llast.launch import restarts, slurm
from llast.launch.lock import PATIENCE_S, locked
from llast.launch.record import note_end
from llast.launch.watch import watch
from llast.training.run_folder import RunFolder

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

STARTS = "llast: training starts"
"""Begins the line in a rank's log that divides one start of a job from the next."""

ASKED, SAVED = "llast: asked to stop by", "llast: stopped; saved step"
"""Begin the lines of a rank that heard a signal, and of one that ends on it in good order."""

STOPPED = 128 + signal.SIGTERM
WAIT_FOR_END_S = 600
FIRST_PORT, PORTS = 10_000, 20_000  # below the ports that the kernel gives away


@dataclass(frozen=True)
class TrainingTask:
    """One rank: sets every rendezvous variable, then trains.

    Attributes:
        run_folder: folder of the run, with `spec.json`.
        port: TCP port of rank 0 for the process group; None: made from the Slurm job's id.
    """

    run_folder: Path
    port: int | None

    def __call__(self) -> None:
        import submitit

        job = submitit.JobEnvironment()
        job.paths.result_pickle.unlink(missing_ok=True)  # of an earlier start of the same job
        os.environ.update(
            RANK=str(job.global_rank),
            LOCAL_RANK=str(job.local_rank),
            WORLD_SIZE=str(job.num_tasks),
            LOCAL_WORLD_SIZE=str(job.num_tasks // job.num_nodes),
            MASTER_ADDR="127.0.0.1" if job.num_nodes == 1 else job.hostnames[0],
            MASTER_PORT=str(self.port or _port(job.job_id)),
            TOKENIZERS_PARALLELISM="false",
        )
        run = RunFolder(self.run_folder)
        print(f"{STARTS} from step {run.newest_step()}", file=sys.stderr, flush=True)
        # The launcher started us with Ctrl-C ignored, so that only it decides about the job.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop = StopSignal()
        if job.cluster == "local":
            watch(job)
        with contextlib.ExitStack() as stack:
            if job.global_rank == 0:
                stack.enter_context(locked(run, PATIENCE_S[job.cluster]))
                stack.callback(note_end, run)
                restarts.count_start(run)
            from llast.training.worker import train

            if not train(self.run_folder, stop=stop.received):
                print(f"{SAVED} {run.newest_step()}", file=sys.stderr, flush=True)
                stop.end(job)

    def checkpoint(self) -> "DelayedSubmission":
        """What submitit runs after a requeue: the same, which finds its checkpoint on disk."""
        from submitit.core.utils import DelayedSubmission

        return DelayedSubmission(self)


class StopSignal:
    """Stands in the place of submitit's handlers, which would requeue the job at once and without the other ranks.

    A signal only raises a flag; when all ranks have saved, `end` does what submitit would have done.
    """

    def __init__(self) -> None:
        self._kept: Any = signal.getsignal(signal.SIGUSR2)
        self._signal = 0
        for number in (signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        print(f"{ASKED} {signal.Signals(number).name}: saving after this step", file=sys.stderr, flush=True)

    def received(self) -> bool:
        """Whether this rank is to stop at the next step."""
        return self._signal != 0

    def end(self, job: Any) -> None:
        """End this rank after the save; rank 0 puts the job back into the queue unless Slurm has done so already.

        Args:
            job: submitit's environment of the job.
        """
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        on_slurm = job.cluster == "slurm"
        if on_slurm and job.global_rank != 0:
            # An exit before the requeue would end the job. Slurm ends this process.
            time.sleep(WAIT_FOR_END_S)
        elif _running(job.job_id) if on_slurm else self._signal == signal.SIGUSR2:
            self._kept(signal.SIGUSR2, None)
        sys.exit(STOPPED)


def _running(job_id: str) -> bool:
    """Whether Slurm still means to run the job: not if it cancels it, requeues it or has run out of time."""
    return slurm.state(job_id) == "RUNNING"


def _port(job_id: str) -> int:
    """A port for a Slurm job that no other job has; another one after a requeue, in case something else has it."""
    return FIRST_PORT + (int(job_id) + 7919 * int(os.environ.get("SLURM_RESTART_COUNT", "0"))) % PORTS
