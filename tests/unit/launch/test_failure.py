"""What a user is told of a training job that ended early: the rank that failed first, in its own words."""

from pathlib import Path

import pytest

from llast.config.steps import Machine
from llast.errors import ConfigError, DataError, UserError
from llast.launch.failure import Failure, find_failure
from llast.launch.job import TrainingJob
from llast.launch.task import ASKED, SAVED, STARTS
from llast.launch.watch import ENDED

TRACEBACK = "Traceback (most recent call last):\n  File 'worker.py', line 1, in train\n    loss.backward()\n"
LOST = "RuntimeError: [gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:4711: Connection reset by peer"


def failure(folder: Path, cluster: str, *logs: str) -> Failure:
    """That of a job whose ranks have written these logs, and left a result if there is an error in it."""
    for rank, log in enumerate(logs):
        (folder / f"7_{rank}_log.err").write_text(log)
        if "Traceback" in log:
            (folder / f"7_{rank}_result.pkl").touch()
    machine = Machine.model_validate({"cluster": cluster, "tasks_per_node": len(logs)})
    return find_failure(TrainingJob(folder, "name", "7", machine, 0))


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            "gpu memory",
            "tokens_per_micro_batch",
        ),
        ("torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered", "transient", ""),
        ("torch.AcceleratorError: CUDA error: device-side assert triggered", "defect", ""),
        ("OSError: [Errno 28] No space left on device: 'step-000100/engine'", "disk", ""),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried 8 GiB", "memory", "mem_mb"),
        ("OSError: [Errno 122] Disk quota exceeded", "disk", ""),
        ("OSError: [Errno 30] Read-only file system: 'metrics.jsonl'", "disk", ""),
        ("RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 640 vs 534", "disk", ""),
        ("RuntimeError: The server socket has failed to listen: EADDRINUSE, port: 10042", "transient", ""),
        ("llast.training.step.TrainingDiverged: loss nan at step 3; clips: a b", "defect", ""),
    ],
)
def test_errors_and_what_can_be_done_about_them(tmp_path: Path, error: str, kind: str, advice: str) -> None:
    found = failure(tmp_path, "slurm", TRACEBACK + LOST, f"[rank1]: {TRACEBACK}[rank1]: {error}\n")
    assert (found.rank, found.kind) == (1, kind)
    assert str(found).startswith(f"rank 1: {error}\n  log: {tmp_path}/7_1_log.err")
    assert advice in str(found)
    assert "Traceback" not in str(found)
    assert "worker.py" not in str(found)


@pytest.mark.parametrize("kind", [DataError, ConfigError])
def test_what_a_user_can_mend_is_said_in_full_as_it_was_raised(tmp_path: Path, kind: type[UserError]) -> None:
    said = f"the base model in {'x' * 400} is cut off. Copy it again."
    log = f"{STARTS}\n{TRACEBACK}llast.errors.{kind.__name__}: {said}\n[rank0]: more of torch's\n"
    error = failure(tmp_path, "local", log).user_error
    assert type(error) is kind
    assert str(error) == f"{said}\n  log: {tmp_path}/7_0_log.err"
    assert failure(tmp_path, "local", f"{STARTS}\n{TRACEBACK}ValueError: {said}\n").user_error is None


def test_a_rank_that_only_lost_the_others_is_not_the_culprit(tmp_path: Path) -> None:
    killed = "srun: error: node2: task 1: Killed\nsrun: error: node1: task 0: Exited with exit code 1\n"
    found = failure(tmp_path, "slurm", f"{STARTS}\n{TRACEBACK}{LOST}\n{killed}", STARTS)
    assert (found.rank, found.kind) == (1, "transient")
    assert LOST not in str(found)


def test_a_crash_outside_of_python(tmp_path: Path) -> None:
    words = "terminate called after throwing an instance of 'c10::DistBackendError'\n"
    said = "srun: error: node2: task 1: Aborted (core dumped)\n"
    found = failure(tmp_path, "slurm", f"{STARTS}\n{said}", f"{STARTS}\n{words}")
    assert (found.rank, found.kind) == (1, "transient")
    assert "DistBackendError" in found.cause


def test_the_network_alone(tmp_path: Path) -> None:
    found = failure(tmp_path, "slurm", TRACEBACK + LOST, TRACEBACK + LOST)
    assert (found.rank, found.kind, found.cause) == (0, "transient", LOST)


def test_lack_of_memory(tmp_path: Path) -> None:
    said = (
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some processes may have been killed\n"
    )
    found = failure(tmp_path, "slurm", f"{said}srun: error: node1: task 1: Out Of Memory\n", "")
    assert (found.rank, found.kind) == (1, "memory")
    assert "mem_mb" in str(found)


@pytest.mark.parametrize(
    ("end", "told"),
    [(f"{SAVED} 12\n", "12"), ("", "before it had saved")],
    ids=["in_good_order", "too_slow"],
)
def test_a_stop_is_no_lack_of_memory(tmp_path: Path, end: str, told: str) -> None:
    found = failure(tmp_path, "local", STARTS, f"{STARTS}\n{ASKED} SIGTERM: saving after this step\n{end}")
    assert (found.rank, found.kind) == (1, "transient")
    assert "SIGTERM" in found.cause
    assert told in found.cause
    assert "memory" not in str(found)


def test_a_rank_that_srun_asked_to_stop_is_not_the_culprit(tmp_path: Path) -> None:
    asked = f"{STARTS}\nsrun: error: node2: task 1: Killed\n{ASKED} SIGTERM: saving after this step\n"
    found = failure(tmp_path, "slurm", asked, STARTS)
    assert (found.rank, found.kind) == (1, "transient")
    assert "SIGTERM" not in str(found)


def test_a_rank_that_ended_because_of_another_is_not_the_culprit(tmp_path: Path) -> None:
    found = failure(
        tmp_path, "local", f"{STARTS}\n{ENDED} rank 1 is gone\n", STARTS, f"{STARTS}\n{ENDED} rank 1\n"
    )
    assert (found.rank, found.kind) == (1, "transient")


def test_only_the_last_start_counts(tmp_path: Path) -> None:
    earlier = f"{STARTS} from step 0\n{TRACEBACK}ValueError: of yesterday\n"
    found = failure(tmp_path, "local", f"{earlier}{STARTS} from step 7\n{TRACEBACK}ValueError: of today\n")
    assert found.cause == "ValueError: of today"


def test_a_wall_of_text_is_cut(tmp_path: Path) -> None:
    found = failure(tmp_path, "local", TRACEBACK + "RuntimeError: " + "x" * 5000 + "\n" + "more\n" * 100)
    assert len(found.cause.splitlines()) == 4
    assert len(found.cause) < 400


def test_nothing_is_known(tmp_path: Path) -> None:
    machine = Machine(cluster="slurm", tasks_per_node=2)
    found = find_failure(TrainingJob(tmp_path, "name", "7", machine, 0))
    assert (found.rank, found.kind) == (0, "transient")
    assert found.cause
