"""What submitit starts on every process of a training job."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainingTask:
    """One rank: sets every rendezvous variable, then trains.

    Attributes:
        run_folder: folder of the run, with `spec.json`.
        port: TCP port of rank 0 for the process group.
    """

    run_folder: Path
    port: int

    def __call__(self) -> None:
        import submitit

        job = submitit.JobEnvironment()
        os.environ.update(
            RANK=str(job.global_rank),
            LOCAL_RANK=str(job.local_rank),
            WORLD_SIZE=str(job.num_tasks),
            LOCAL_WORLD_SIZE=str(job.num_tasks // job.num_nodes),
            MASTER_ADDR="127.0.0.1" if job.num_nodes == 1 else job.hostnames[0],
            MASTER_PORT=str(self.port),
            TOKENIZERS_PARALLELISM="false",
            HF_HUB_OFFLINE="1",
        )
        # The launcher started us with Ctrl-C ignored, so that only it decides about the job.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from llast.training.worker import train

        train(self.run_folder)
