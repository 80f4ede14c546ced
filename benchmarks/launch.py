"""What the launcher and Snakemake add to a bare `sbatch` of the same command; needs a Slurm.

On a machine without one, as root, LLAST_TEST_SLURM=1 has it start the tests' cluster and stop it at the end.
"""

import json
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

from record import Measured, in_turn, main, run

ROOT = Path(__file__).parents[1]
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
    for part in ("workflow", "profiles", "llast", "tests"):
        (folder / part).symlink_to(ROOT / part)
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
    seconds: dict[str, list[float]] = {"launched": [], "bare": []}
    for number in range(rounds):
        output = folder / f"launched{number}" / "run.json"
        started = time.time()
        run([*command, "--output", str(output)], cwd=folder)
        (spec,) = output.parent.glob("*/spec.json")
        seconds["launched"].append(first_record(spec.parent) - started)
        bare = folder / f"bare{number}"
        bare.mkdir()
        shutil.copy(spec, bare)
        (bare / "rank.py").write_text(RANK.format(folder=str(bare)))
        started = time.time()
        run(
            ["sbatch", "--wait", "--nodes=2", "--ntasks-per-node=1", "--mem=3000MB", f"--output={bare}/log",
             "--wrap", f"export MASTER_ADDR=$(hostname); srun {sys.executable} {bare}/rank.py"], cwd=folder,
        )  # fmt: skip
        seconds["bare"].append(first_record(bare) - started)
    return Measured(
        "launch_first_step",
        "from the call of `llast train` to the first step of a tiny training on two nodes",
        statistics.median(seconds["launched"]),
        "s",
        statistics.median(seconds["bare"]),
        "sbatch and srun of the same ranks",
        lower_is_better=True,
    )


def first_record(folder: Path) -> float:
    """When the first step was recorded, in seconds since 1970."""
    return float(json.loads((folder / "metrics.jsonl").read_text().split("\n")[0])["time"])


def one_job(folder: Path, rounds: int) -> Measured:
    """A job that does nothing, through the plugin with its defaults: it looks after 40 s for the first time."""
    folder.mkdir()
    (folder / "Snakefile").write_text(ONE_JOB)
    through = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "1", "--forceall", "job"]
    resources = ["--default-resources", "mem_mb=1000", "runtime=5"]
    wrap = ["sbatch", "--wait", "--mem=1000MB", "--output=/dev/null", "--wrap", "touch done"]
    seconds = in_turn(
        {
            "snakemake": lambda: run([*through, *resources], cwd=folder),
            "bare": lambda: run(wrap, cwd=folder),
        },
        rounds,
        warm_up=False,
    )
    return Measured(
        "snakemake_job",
        "a workflow of one job that does nothing, submitted by Snakemake's plugin with its defaults",
        seconds["snakemake"],
        "s",
        seconds["bare"],
        "sbatch --wait of the same command",
        lower_is_better=True,
    )


if __name__ == "__main__":
    main(measure)
