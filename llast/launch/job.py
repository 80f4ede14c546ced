"""A training job of submitit: started once, found again after a restart, cancelled with all its processes."""

import os
import shlex
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import submitit
from submitit.helpers import clean_env

from llast.artifacts import spec_hash
from llast.artifacts.training import JobRecord, RunSpec
from llast.config.steps import Machine, sbatch_options
from llast.errors import ConfigError, DataError
from llast.launch import slurm
from llast.launch.place import here, started
from llast.launch.record import job_record
from llast.launch.task import TrainingTask
from llast.training.run_folder import RunFolder

FOREVER_MIN = 60 * 24 * 365
WITHOUT_END = 10**6
"""Time limits that submitit sees a job through: llast.launch.restarts counts instead."""

SIGNAL_S, SIGNAL_SHARE = 300, 0.3
"""Slurm warns a job so long before its time is over, or by this share of the time if that is less."""


@dataclass(frozen=True)
class TrainingJob:
    """A submitted job.

    Attributes:
        folder: submitit's folder, with logs and results.
        name: name of the job, of which there is one per folder of a run.
        job_id: process id of submitit's local controller, or the Slurm job id.
        machine: where it runs.
        started: start of the local controller, to tell a reused process id; 0 on Slurm.
    """

    folder: Path
    name: str
    job_id: str
    machine: Machine
    started: int

    @property
    def on_slurm(self) -> bool:
        """Whether it is a job of Slurm."""
        return self.machine.cluster == "slurm"

    def running(self) -> bool:
        """Whether the job is queued, has a living process, or is about to be queued again.

        Raises:
            JobError: Slurm does not answer.
        """
        if self.on_slurm:
            return self.job_id in slurm.in_queue(self.name)
        return self._controller() is not None

    def settled(self) -> bool:
        """As `running`, once Slurm has ended the job or put it back, during which it can be missing for a moment."""
        if not self.on_slurm:
            return self.running()
        for wait_s in (1, 0):
            while (state := slurm.in_queue(self.name).get(self.job_id)) == "COMPLETING":
                time.sleep(1)
            if state:
                return True
            time.sleep(wait_s)
        return False

    def ended_ranks(self) -> list[int]:
        """Ranks that have left a result, good or bad."""
        return [rank for rank in range(self.machine.ranks) if self._file(rank, "result.pkl").exists()]

    def log(self, rank: int) -> Path:
        """Standard error of a rank; that of rank 0 also has what Slurm says."""
        return self._file(rank, "log.err")

    def cancel(self) -> None:
        """End the job and every process of it."""
        if self.on_slurm:
            slurm.cancel(self.job_id)
        elif (controller := self._controller()) is not None:
            processes = [controller, *controller.children(recursive=True)]
            for process in processes:
                process.kill()
            psutil.wait_procs(processes, timeout=10)

    def _file(self, rank: int, what: str) -> Path:
        return self.folder / f"{self.job_id}_{rank}_{what}"

    def _controller(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int(self.job_id))
            alive = process.status() != psutil.STATUS_ZOMBIE and started(process.pid) == self.started
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def find(run: RunFolder) -> TrainingJob | None:
    """The job that an earlier launcher started for this run, whether it still runs or not; None if it is not of here.

    A launcher that was killed while it submitted has left a record without a job id; the job is then known by its name,
    as it is where the record is missing or broken: a second job would train in the same folder.

    Raises:
        DataError: neither `job.json` nor `spec.json` can be read.
        JobError: Slurm does not answer.
    """
    if not run.spec.exists():
        return None
    saved = job_record(run)
    if saved is None:
        spec = RunSpec.read(run.spec)
        saved = JobRecord(name=_name(run, spec.name), folder=run.path, machine=spec.machine)
    local = saved.machine.cluster == "local"
    if saved.ended or (local and saved.place not in (None, here())):
        return None  # `llast.launch.lock` tells about those of other places
    job_id, began = saved.job_id, saved.started
    if job_id is None and saved.machine.cluster == "slurm":
        job_id = max(slurm.in_queue(saved.name), key=int, default=None)
    elif job_id is None and (process := _lost_controller(run.jobs)):
        job_id, began = str(process.pid), started(process.pid)
    if job_id is None:
        return None
    return TrainingJob(run.jobs, saved.name, job_id, saved.machine, began)


def _lost_controller(folder: Path) -> psutil.Process | None:
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "submitit.local._local" in words and str(folder.resolve()) in words:
            return process
    return None


def _name(run: RunFolder, label: str) -> str:
    return f"llast-{label}-{spec_hash(str(run.path.resolve()))[:8]}"


def submit(run: RunFolder, label: str, machine: Machine) -> TrainingJob:
    """Start a job that trains the run and record it in `job.json`, before and after it is submitted.

    Args:
        run: folder of the run.
        label: part of the job's name, for people who look at the queue.
        machine: where and on how many processes.

    Raises:
        ConfigError: the cluster does not take the job.
        DataError: this machine cannot submit jobs.
    """
    run = RunFolder(run.path.resolve())
    name = _name(run, label)
    # A local job must outlive a closed terminal and leave Ctrl-C to the launcher, which cancels it: its processes get
    # neither signal. Here the two wait until it is on record which job there is to cancel.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    heard: list[
        int
    ] = []  # a signal for the process reaches Python through any thread that has not blocked it
    kept = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        local = machine.cluster == "local"
        record = JobRecord(name=name, folder=run.path, machine=machine, place=here() if local else None)
        record.write(run.job)
        slurm_conf = os.environ.get("SLURM_CONF")
        with clean_env():
            if slurm_conf:  # dropped with all of SLURM_*, but sbatch may need it to find its cluster
                os.environ["SLURM_CONF"] = slurm_conf
            port = _free_port() if local else None
            job = _executor(run.jobs, name, machine).submit(TrainingTask(run.path, port))
        began = started(int(job.job_id)) if local else 0
        known = {"job_id": job.job_id, "started": began, "submitted": time.time()}
        record.model_copy(update=known).write(run.job)
    except submitit.core.utils.FailedJobError as error:
        raise ConfigError(
            f"Slurm does not take the job of {label}: {_last_line(error)}\n"
            "  What it is asked for is in the profile, set-resources: train."
        ) from None
    except RuntimeError as error:
        raise DataError(f"the job of {label} could not be submitted: {error}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, kept)
    if heard:
        raise KeyboardInterrupt
    return TrainingJob(run.jobs, name, job.job_id, machine, began)


def _executor(folder: Path, name: str, machine: Machine) -> submitit.AutoExecutor:
    if machine.cluster == "local":
        executor = submitit.AutoExecutor(folder=folder, cluster="local")
        executor.update_parameters(
            nodes=machine.nodes,
            tasks_per_node=machine.tasks_per_node,
            gpus_per_node=machine.gpus_per_node,
            timeout_min=FOREVER_MIN,
        )
        return executor
    python = f"apptainer exec --nv {shlex.quote(machine.container)} python" if machine.container else None
    executor = submitit.AutoExecutor(
        folder=folder, cluster="slurm", slurm_python=python, slurm_max_num_timeout=WITHOUT_END
    )
    wanted: dict[str, Any] = {
        "job_name": name,
        "nodes": machine.nodes,
        "ntasks_per_node": machine.tasks_per_node,
        "gpus_per_node": machine.gpus_per_node or None,
        "cpus_per_task": machine.threads,
        "time": machine.minutes,
        "mem": f"{machine.memory_mb}MB" if machine.memory_mb else None,
        "partition": machine.partition or None,
        "account": machine.account or None,
        "signal_delay_s": int(min(SIGNAL_S, SIGNAL_SHARE * 60 * machine.minutes)),
        # A rank that fails ends the others, which would wait for it. Since 22.05 srun does not hand on sbatch's CPUs.
        "srun_args": ["--kill-on-bad-exit=1", f"--cpus-per-task={machine.threads}"],
        "additional_parameters": {"requeue": True, **sbatch_options(machine.extra)},
    }
    executor.update_parameters(
        **{f"slurm_{key}": value for key, value in wanted.items() if value is not None}
    )
    return executor


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _last_line(error: Exception) -> str:
    return ([line for line in str(error).splitlines() if line.strip()] or ["no reason given"])[-1]
