"""What it takes to plan the full experiment, how that grows, and what a local job costs beside its command."""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import yaml
from record import ROOT, Measured, Ran, growth, in_turn, main, run

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
CHECKPOINTS = 4
TARGET_S, TARGET_MIB, TARGET_GROWTH, TARGET_JOB_S = 10.0, 500.0, 1.5, 0.1
JOBS = "rule all:\n    input: expand('{n}', n=range(%d))\nrule one:\n    output: '{n}'\n    shell: 'touch {output}'\n"


def workplace(folder: Path, experiments: int) -> list[str]:
    """A folder like a clone, with so many experiments on all 36 pairs; the command that plans them."""
    for name in ("workflow", "profiles", "llast"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "config", folder / "config")
    names = [f"experiment{number}" for number in range(experiments)]
    for name in names:
        text = yaml.safe_dump({"extends": "llast-2b", "training": {"checkpoints": CHECKPOINTS}})
        (folder / f"config/experiments/{name}.yaml").write_text(text)
    settings = yaml.safe_load((ROOT / "config/covost2.yaml").read_text()) | {"experiments": names}
    (folder / "config/many.yaml").write_text(yaml.safe_dump(settings))
    return [*SNAKEMAKE, "--dry-run", "--quiet", "all", "--configfile", "config/many.yaml"]


def plans(rounds: int) -> dict[int, list[Ran]]:
    """Dry runs of 9 experiments, and of 2, 8 and 32, in turn."""
    ran: dict[int, list[Ran]] = {9: [], 2: [], 8: [], 32: []}
    with tempfile.TemporaryDirectory() as name:
        commands = {}
        for experiments in ran:
            folder = Path(name) / str(experiments)
            folder.mkdir()
            commands[experiments] = workplace(folder, experiments)

        def plan(experiments: int) -> None:
            ran[experiments].append(run(commands[experiments], cwd=Path(name) / str(experiments)))

        in_turn({str(count): lambda count=count: plan(count) for count in ran}, rounds, warm_up=False)  # type: ignore[misc]
    return ran


def job_seconds(jobs: int) -> tuple[float, float]:
    """Seconds a job of Snakemake on this machine, and of the same command started by a shell, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Snakefile").write_text(JOBS % jobs)

        def snakemake() -> None:
            run([*SNAKEMAKE, "--cores", "1", "--quiet", "all", "--forceall"], cwd=name)

        def one_job() -> None:
            run([*SNAKEMAKE, "--cores", "1", "--quiet", "all", "--force", "0"], cwd=name)

        def shell() -> None:
            run(["bash", "-c", f"for n in $(seq {jobs}); do bash -c 'touch '$n; done"], cwd=name)

        seconds = in_turn({"snakemake": snakemake, "one job": one_job, "shell": shell}, 3)
    return (seconds["snakemake"] - seconds["one job"]) / (jobs - 1), seconds["shell"] / jobs


def measure(full: bool) -> list[Measured]:
    """Nine experiments are the plan that the targets speak of."""
    rounds = 5 if full else 2
    ran = plans(rounds)
    seconds = {
        experiments: statistics.median(dry_run.seconds for dry_run in several)
        for experiments, several in ran.items()
    }
    times = {1: 2, 4: 8, 16: 32}
    jobs = 200 if full else 40
    ours, bare = job_seconds(jobs)
    what = f"9 experiments x {CHECKPOINTS} checkpoints x 36 pairs"
    return [
        Measured(
            "plan", f"`snakemake -n` of {what} takes seconds", seconds[9], "s",
            target=TARGET_S, rounds=rounds, lower_is_better=True,
        ),
        Measured(
            "plan_memory", f"`snakemake -n` of {what} stays small", max(dry_run.peak_mib for dry_run in ran[9]), "MiB",
            target=TARGET_MIB, rounds=rounds, lower_is_better=True,
        ),
        growth(
            "plan_growth",
            "one more experiment of a plan", "s",
            {size: seconds[experiments] for size, experiments in times.items()}, times, TARGET_GROWTH, rounds,
            f"2: {seconds[2]:.1f} s, 8: {seconds[8]:.1f} s, 32: {seconds[32]:.1f} s",
        ),
        Measured(
            "job", f"what a job of Snakemake on one machine costs (of {jobs} jobs)", ours, "s", bare,
            "a shell that starts the same command", target=TARGET_JOB_S, rounds=3, lower_is_better=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main(measure)
