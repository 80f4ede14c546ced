"""What it takes to plan the full experiment, how that grows, and what a local job costs beside its command."""

import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from record import Measured, Ran, in_turn, main, run

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
CHECKPOINTS = 4
TARGET_S, TARGET_MIB = 10.0, 500.0
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


def plan(experiments: int, rounds: int) -> tuple[float, float]:
    """Seconds and MiB of a dry run, the median and the largest of several."""
    with tempfile.TemporaryDirectory() as name:
        command = workplace(Path(name), experiments)
        ran: list[Ran] = [run(command, cwd=name) for _ in range(rounds)]
    return sorted(one.seconds for one in ran)[rounds // 2], max(one.peak_mib for one in ran)


def job_seconds(jobs: int) -> tuple[float, float]:
    """Seconds a job of Snakemake on this machine, and of the same command started by a shell, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Snakefile").write_text(JOBS % jobs)

        def snakemake() -> None:
            run([*SNAKEMAKE, "--cores", "1", "--quiet", "all", "--forceall"], cwd=name)

        def one() -> None:
            run([*SNAKEMAKE, "--cores", "1", "--quiet", "all", "--force", "0"], cwd=name)

        def shell() -> None:
            run(["bash", "-c", f"for n in $(seq {jobs}); do bash -c 'touch '$n; done"], cwd=name)

        seconds = in_turn({"snakemake": snakemake, "one": one, "shell": shell}, 3)
    return (seconds["snakemake"] - seconds["one"]) / (jobs - 1), seconds["shell"] / jobs


def measure(full: bool) -> list[Measured]:
    """Nine experiments are the plan that the targets speak of."""
    rounds = 5 if full else 1
    seconds, mib = plan(9, rounds)
    grown = {times: plan(2 * times, rounds)[0] for times in (1, 4, 16)}
    jobs = 200 if full else 40
    ours, bare = job_seconds(jobs)
    what = f"9 experiments x {CHECKPOINTS} checkpoints x 36 pairs"
    return [
        Measured(
            "plan", f"`snakemake -n` of {what} takes seconds", seconds, "s",
            limit=TARGET_S, limit_is="target", lower_is_better=True,
        ),
        Measured(
            "plan_memory", f"`snakemake -n` of {what} stays small", mib, "MiB",
            limit=TARGET_MIB, limit_is="target", lower_is_better=True,
        ),
        Measured(
            "plan_growth",
            "sixteen times as many experiments (2 to 32) take at most sixteen times as long to plan "
            f"(2: {grown[1]:.1f} s, 8: {grown[4]:.1f} s)",
            grown[16], "s", limit=16 * grown[1], limit_is="16 times 2 experiments", lower_is_better=True,
        ),
        Measured(
            "job", f"a job of Snakemake on one machine costs fractions of a second (of {jobs} jobs)", ours, "s", bare,
            "a shell that starts the same command", lower_is_better=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main(measure)
