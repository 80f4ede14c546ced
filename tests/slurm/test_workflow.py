"""The whole workflow through the shipped profile gives the same table as on one machine."""

import os
import subprocess
import sys
from pathlib import Path

from tests.slurm.trainings import slurm
from tests.workflow.conftest import ROOT, Workplace

CONFIG = ("--configfile", "tests/slurm/config_pairs/config.yaml")
RESULTS = ("results/bleu_table.csv", "results/scores.csv")
SITE = {
    '&account ""': "&account test",
    '&cpu ""': "&cpu main",
    '&gpu ""': "&gpu spot",
    "&nodes 1": "&nodes 2",
    "&gpus 8": "&gpus 2",
    # What the pretend nodes do not have: processors, and files that arrive late.
    "cpus_per_task: 16": "cpus_per_task: 2",
    "cpus_per_task: 8": "cpus_per_task: 1",
    "latency-wait: 60": "latency-wait: 10",
    "status-checks: 20": "status-checks: 1",
}


def adapt_profile(folder: Path) -> None:
    """Fill in the shipped profile, as a user does."""
    text = (ROOT / "profiles/slurm/profile.yaml").read_text()
    for shipped, ours in SITE.items():
        assert shipped in text
        text = text.replace(shipped, ours)
    folder.mkdir()
    (folder / "profile.yaml").write_text(text)


def snakemake(
    place: Workplace, *arguments: str, targets: tuple[str, ...] = RESULTS
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments, *CONFIG, "--", *targets],
        cwd=place.folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_same_table_as_on_one_machine(cluster: Path, tmp_path: Path) -> None:
    for name in ("local", "slurm"):
        (tmp_path / name).mkdir()
    local, cluster_ = (Workplace(tmp_path / name) for name in ("local", "slurm"))
    adapt_profile(cluster_.folder / "site")
    processes = [
        snakemake(cluster_, "--profile", "site"),
        snakemake(
            local, "--cores", "2", "--set-resources", "train:tasks_per_node=4", "train:cpus_per_task=1"
        ),
    ]
    for process in processes:
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, said[-4000:]
    for file in RESULTS:
        assert (cluster_.folder / file).read_text() == (local.folder / file).read_text()
    jobs = submitted(cluster_.folder)
    assert set(jobs) == {
        "synthesize",
        "resample",
        "join",
        "filter",
        "mix",
        "decode",
        "score",
        "train",
    }
    wanted = {
        rule: (job["Partition"], job["Timelimit"], _megabytes(job["ReqMem"]), job["NNodes"])
        for rule, job in jobs.items()
    }
    assert wanted["resample"] == ("main", "08:00:00", 16_000, "1")
    assert wanted["decode"] == ("spot", "12:00:00", 64_000, "1")
    assert wanted["train"] == ("spot", "2-00:00:00", 2 * 400_000, "2")
    assert "gres/gpu=4" in jobs["train"]["AllocTRES"]
    assert "gres/gpu=1" in jobs["decode"]["AllocTRES"]
    assert {job["Account"] for job in jobs.values()} == {"test"}


def test_a_folder_whose_name_a_shell_would_execute(cluster: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my $(touch EXECUTED) `touch EXECUTED` clone; ü"
    folder.mkdir()
    place = Workplace(folder)
    adapt_profile(place.folder / "site")
    joined = "resources/pairs/join/en/summary.json"
    process = snakemake(place, "--profile", "site", "--retries", "0", targets=(joined,))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said[-4000:]
    assert (place.folder / joined).exists()
    assert [str(path) for path in tmp_path.rglob("EXECUTED")] == []


def submitted(folder: Path) -> dict[str, dict[str, str]]:
    """What the jobs of a workflow's folder asked for, by rule, as accounting knows it."""
    fields = (
        "JobName",
        "Partition",
        "Timelimit",
        "ReqMem",
        "NNodes",
        "AllocTRES",
        "Account",
        "WorkDir",
        "Comment",
    )
    said = slurm("sacct", "-nXP", "--starttime=now-1hour", f"--format={','.join(fields)}")
    jobs = [dict(zip(fields, line.split("|"), strict=True)) for line in said.splitlines()]
    ours = [job for job in jobs if Path(job["WorkDir"]) == folder]
    return {_rule(job): job for job in ours}


def _megabytes(text: str) -> int:
    return round(float(text[:-1]) * {"M": 1, "G": 1024}[text[-1]])


def _rule(job: dict[str, str]) -> str:
    return (
        "train" if job["JobName"].startswith("llast-") else job["Comment"].removeprefix("rule_").split("_")[0]
    )
