"""The test cluster keeps to itself, and stands in for a real one where it matters."""

import os
import subprocess
from pathlib import Path

import psutil

from tests.slurm.conftest import SCRIPTS


def test_it_starts_only_where_it_was_asked_for() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LLAST_TEST_SLURM"}
    refused = subprocess.run(
        [SCRIPTS / "start.sh"], capture_output=True, text=True, env=environment, check=False
    )
    assert refused.returncode == 2
    assert "LLAST_TEST_SLURM=1" in refused.stderr


def test_it_leaves_another_slurm_alone(cluster: Path, tmp_path: Path) -> None:
    """Where another cluster's file is in the place of ours, which only this process sees: others use ours meanwhile."""
    config = tmp_path / "slurm.conf"
    config.write_text("ClusterName=somebody_elses\n")
    elsewhere = f"mount --bind {tmp_path} /etc/slurm && exec {SCRIPTS}/start.sh"
    refused = subprocess.run(
        ["unshare", "--mount", "bash", "-c", elsewhere], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "LLAST_TEST_SLURM" not in refused.stderr
    assert config.read_text() == "ClusterName=somebody_elses\n"


def test_it_is_heard_on_loopback_only(cluster: Path) -> None:
    names = {"slurmctld", "slurmd", "slurmdbd", "mariadbd", "munged"}
    ours = {process.pid: process.name() for process in psutil.process_iter() if process.name() in names}
    assert set(ours.values()) == names
    heard = [c for c in psutil.net_connections("inet") if c.pid in ours and c.status == psutil.CONN_LISTEN]
    assert heard
    assert {connection.laddr.ip for connection in heard} == {"127.0.0.1"}


def test_nodes_have_names_gpus_and_processes_of_their_own(cluster: Path) -> None:
    command = ["srun", "--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=2"]
    said = subprocess.run(
        [*command, "bash", "-c", "echo $(hostname) $CUDA_VISIBLE_DEVICES"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = sorted(said.stdout.split("\n")[:-1])
    assert [line.split(" ")[1] for line in lines] == ["0,1", "0,1"]
    assert len({line.split(" ")[0] for line in lines}) == 2
