"""What the launcher and Snakemake add to a bare `sbatch` of the same command; needs a Slurm.

On a machine without one, as root, LLAST_TEST_SLURM=1 has it start the tests' cluster and stop it at the end.
"""

import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from record import ROOT, Measured, clone_like, in_turn, main, run

from llast.training.run_folder import RunFolder

CLUSTER = ROOT / "tests" / "slurm" / "cluster"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "2"]
CONFIG = ["--configfile", "tests/slurm/config_pairs/config.yaml"]
NODES = ["--nodes", "2", "--memory-mb", "3000"]
RANK = """
import os, pathlib
os.environ.update(RANK=os.environ["SLURM_PROCID"], LOCAL_RANK="0", WORLD_SIZE="2", LOCAL_WORLD_SIZE="1")
os.environ.update(MASTER_PORT="29999")
from llast.training.worker import train
train(pathlib.Path({folder!r}))
"""
OURS = os.environ.get("LLAST_TEST_SLURM") == "1"
FIRST_LOOK = "slurm-init-seconds-before-status-checks"
MOST_LAUNCH_S = 10.0
ONE_JOB = 'rule job:\n    output: "done"\n    shell: "touch {output}"\n'


def measure(full: bool) -> list[Measured]:
    """Seconds from submission to the first training step, and of a workflow that is one job."""
    if not OURS and (
        shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode
    ):
        print(
            "launch: no Slurm answers here; LLAST_TEST_SLURM=1 starts the tests' cluster (Debian, root)",
            file=sys.stderr,
        )
        return []
    rounds = 3 if full else 1
    with cluster(), tempfile.TemporaryDirectory(dir="/tmp" if OURS else ROOT) as name:
        return [first_step(Path(name), rounds), one_job(Path(name) / "one", rounds)]


@contextmanager
def cluster() -> Iterator[None]:
    """The tests' cluster, if it is wanted."""
    if OURS:
        subprocess.run([CLUSTER / "start.sh"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        if OURS:
            subprocess.run([CLUSTER / "stop.sh"], check=True)


def first_step(folder: Path, rounds: int) -> Measured:
    """`llast train` on two nodes, against sbatch and srun of its ranks, until the first step is on record."""
    clone_like(folder)
    run([*SNAKEMAKE, *CONFIG, "--", "results/pairs/seed1/mix/summary.json"], cwd=folder)
    shown = run([*SNAKEMAKE, *CONFIG, "--dry-run", "--printshellcmds"], cwd=folder).output
    (found,) = re.findall(r"^ *(?:Shell command: )?(llast train .*)$", shown, re.MULTILINE)
    command = [
        sys.executable,
        "-m",
        *shlex.split(found),
        "--cluster",
        "slurm",
        "--tasks-per-node",
        "1",
        *NODES,
    ]
    took: dict[str, list[float]] = {"launched": [], "bare": []}

    def launched() -> None:
        output = folder / f"launched{len(took['launched'])}" / "run.json"
        started = time.time()
        run([*command, "--output", str(output)], cwd=folder)
        took["launched"].append(first_record(run_in(output.parent)) - started)

    def bare() -> None:
        own = folder / f"bare{len(took['bare'])}"
        own.mkdir()
        shutil.copy(run_in(folder / "launched0").spec, own)
        (own / "rank.py").write_text(RANK.format(folder=str(own)))
        started = time.time()
        run(
            ["sbatch", "--wait", "--nodes=2", "--ntasks-per-node=1", "--mem=3000MB", f"--output={own}/log",
             "--wrap", f"export MASTER_ADDR=$(hostname); srun {sys.executable} {own}/rank.py"], cwd=folder,
        )  # fmt: skip
        took["bare"].append(first_record(RunFolder(own)) - started)

    in_turn({"launched": launched, "bare": bare}, rounds)
    seconds = {side: statistics.median(several[1:]) for side, several in took.items()}  # the first warmed up
    return Measured(
        "launch_first_step",
        "from the call of `llast train` to the first step of a tiny training on two nodes, at most "
        f"{MOST_LAUNCH_S:.0f} s later than by hand",
        seconds["launched"],
        "s",
        seconds["bare"],
        "sbatch and srun of the same ranks",
        target=seconds["bare"] + MOST_LAUNCH_S,
        rounds=rounds,
        lower_is_better=True,
    )


def run_in(folder: Path) -> RunFolder:
    """The one run of a folder."""
    (spec,) = folder.glob("*/spec.json")
    return RunFolder(spec.parent)


def first_record(run: RunFolder) -> float:
    """When the first step was recorded, in seconds since 1970."""
    return run.records()[0].time


def one_job(folder: Path, rounds: int) -> Measured:
    """A job that does nothing, through Snakemake's plugin as our profile sets it, and as it comes."""
    folder.mkdir()
    (folder / "Snakefile").write_text(ONE_JOB)
    through = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "1", "--forceall", "job"]
    through += ["--default-resources", "mem_mb=1000", "runtime=5"]
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "profile.yaml").read_text(encoding="utf-8"))
    first_look = f"--{FIRST_LOOK}={profile[FIRST_LOOK]}"
    seconds = in_turn(
        {
            "ours": lambda: run([*through, first_look], cwd=folder),
            "defaults": lambda: run(through, cwd=folder),
        },
        rounds,
        warm_up=False,
    )
    return Measured(
        "snakemake_job",
        "a workflow of one job that does nothing, submitted by Snakemake's plugin, with the first look at the job as "
        "our profile sets it: nearly all of it is waiting until then",
        seconds["ours"],
        "s",
        seconds["defaults"],
        "the plugin's defaults",
        target=seconds["defaults"],
        rounds=rounds,
        lower_is_better=True,
    )


if __name__ == "__main__":
    main(measure)
