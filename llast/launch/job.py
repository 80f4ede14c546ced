"""A training job of submitit: started once, found again after a restart, cancelled with all its processes."""

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import submitit
from submitit.helpers import clean_env

from llast.artifacts import read_json, write_json
from llast.config.steps import Machine
from llast.errors import DataError
from llast.launch.task import TrainingTask

JOB_FILE = "job.json"
FOREVER_MIN = 60 * 24 * 365


@dataclass(frozen=True)
class TrainingJob:
    """A submitted job.

    Attributes:
        folder: submitit's folder, with logs and results.
        job_id: process id of submitit's local controller, or the Slurm job id.
        machine: where it runs.
        started: start time of the local controller (seconds since 1970), to tell a reused process id; 0 on Slurm.
    """

    folder: Path
    job_id: str
    machine: Machine
    started: float

    def running(self) -> bool:
        """Whether the job is queued or has a living process."""
        if self.machine.cluster == "slurm":
            return not self._submitit().done()
        return self._controller() is not None

    def cancel(self) -> None:
        """End the job and every process of it."""
        if self.machine.cluster == "slurm":
            self._submitit().cancel(check=False)
        elif (controller := self._controller()) is not None:
            processes = [controller, *controller.children(recursive=True)]
            for process in processes:
                process.kill()
            psutil.wait_procs(processes, timeout=10)

    def failure(self) -> str:
        """The first cause of a failed job: the rank, its last error lines, and where its log is."""
        ranks = []
        for rank in range(self.machine.ranks):
            log = self.folder / f"{self.job_id}_{rank}_log.err"
            lines = [line for line in _tail(log) if line.strip()]
            ended = (self.folder / f"{self.job_id}_{rank}_result.pkl").exists()
            lost = any(
                word in line
                for line in lines[-5:]
                for word in ("Connection closed", "Connection reset", "gloo")
            )
            ranks.append((ended, lost, rank, log, lines))
        ended, _, rank, log, lines = min(ranks, key=lambda item: item[:3])
        if not ended:
            cause = "ended without a result: it was killed, by hand or for lack of memory"
        else:
            cause = lines[-1] if lines else "failed"
        return f"rank {rank}: {cause}\n  log: {log}"

    def _submitit(self) -> submitit.SlurmJob:
        return submitit.SlurmJob(self.folder, self.job_id, tasks=list(range(self.machine.ranks)))

    def _controller(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self.job_id))
            alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 2
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def find(run_folder: Path) -> TrainingJob | None:
    """The job that an earlier launcher started for this run, whether it still runs or not."""
    path = run_folder / JOB_FILE
    if not path.exists():
        return None
    saved = read_json(path)
    return TrainingJob(
        run_folder / "jobs", saved["job_id"], Machine.model_validate(saved["machine"]), saved["started"]
    )


def submit(run_folder: Path, name: str, machine: Machine) -> TrainingJob:
    """Start a job that trains the run and record it in `job.json`.

    Raises:
        DataError: the cluster does not take the job.
    """
    executor = submitit.AutoExecutor(folder=run_folder / "jobs", cluster=machine.cluster)
    executor.update_parameters(
        name=name,
        nodes=machine.nodes,
        tasks_per_node=machine.tasks_per_node,
        gpus_per_node=machine.gpus_per_node,
        cpus_per_task=machine.threads,
        timeout_min=FOREVER_MIN if machine.cluster == "local" else machine.minutes,
    )
    if machine.cluster == "slurm":
        slurm = {"mem": machine.memory_mb and f"{machine.memory_mb}MB", "partition": machine.partition}
        slurm["account"] = machine.account
        executor.update_parameters(**{f"slurm_{name}": value for name, value in slurm.items() if value})
    slurm_conf = os.environ.get("SLURM_CONF")
    # The job must outlive a closed terminal and leave Ctrl-C to the launcher, which cancels it. Its processes inherit
    # that these two signals are ignored.
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        with clean_env(**({"SLURM_CONF": slurm_conf} if slurm_conf else {})):
            job = executor.submit(TrainingTask(run_folder.resolve(), _free_port()))
        # Before Ctrl-C is heard again: a job that nobody knows of could not be found any more.
        started = psutil.Process(int(job.job_id)).create_time() if machine.cluster == "local" else 0.0
        saved = {
            "job_id": job.job_id,
            "machine": machine.model_dump(),
            "started": started,
            "submitted": time.time(),
        }
        write_json(run_folder / JOB_FILE, saved)
    except (submitit.core.utils.FailedJobError, RuntimeError) as error:
        raise DataError(f"the job of {name} could not be submitted: {error}") from None
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    return TrainingJob(run_folder / "jobs", job.job_id, machine, started)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _tail(path: Path, size: int = 20_000) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").splitlines()
