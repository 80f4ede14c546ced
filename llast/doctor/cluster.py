"""Checks of Slurm: its commands, its controller, its accounting, and the partitions that the profile names."""

import shutil
from collections.abc import Iterable

from llast.doctor.check import Check, ask

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sacct", "sinfo")


def check_slurm(partitions: Iterable[str]) -> list[Check]:
    """Three lines: commands with the controller, accounting, partitions.

    Args:
        partitions: names in the profile.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        found = f"not on PATH: {' '.join(missing)}"
        remedy = "run this where jobs are submitted; some sites need: module load slurm"
        return [
            Check("Slurm", "BAD", found, remedy),
            Check("accounting", "BAD", "unknown without Slurm", remedy),
        ]
    good, said = ask(["sinfo", "--noheader", "--format=%R"])
    if not good:
        return [
            Check("Slurm", "BAD", f"the controller does not answer: {said}", "scontrol ping; ask the site"),
            Check("accounting", "BAD", "unknown without the controller", "scontrol ping; ask the site"),
        ]
    _, version = ask(["sbatch", "--version"])
    return [Check("Slurm", "good", version), _accounting(), _partitions(said.split(), partitions)]


def _accounting() -> Check:
    good, said = ask(["sacct", "--noheader", "--allocations", "--format=JobID", "--starttime=now-1minute"])
    if good:
        return Check("accounting", "good", "sacct answers")
    remedy = (
        "in the profile: slurm-status-command: squeue and slurm-no-account: true; a killed training is then not "
        "noticed, look at squeue yourself"
    )
    return Check("accounting", "BAD", f"sacct: {said}", remedy)


def _partitions(known: list[str], wanted: Iterable[str]) -> Check:
    absent = sorted({part for names in wanted for part in names.split(",") if part} - set(known))
    if absent:
        remedy = f"correct it in the profile; there are {' '.join(known)}"
        return Check("partitions", "BAD", f"not on this cluster: {' '.join(absent)}", remedy)
    return Check("partitions", "good", " ".join(known))
