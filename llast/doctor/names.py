"""Checks of names, paths and site values that programs between us and the machine may read as something else."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from llast.config.layout import is_folder
from llast.config.resolved import ResolvedConfig
from llast.config.steps import Machine
from llast.doctor.check import Check

READ_BY_SHELLS = re.compile(r"""[\s"'`$\\;&|<>(){}*?!#~]""")

_NOT_ON_SLURM = ("%", "'", "\\")
"""Slurm fills in what stands behind a %; Snakemake 9.27 writes the folder into a job's command as Python's `repr`,
which a shell reads as its own where it has an apostrophe or a backslash."""


def check_names(config: ResolvedConfig, folder: Path, on_slurm: bool) -> Check:
    """The working folder and the paths of the configuration: what cannot be used, and what only we quote.

    Args:
        config: its base models and its folder are looked at.
        folder: where Snakemake runs.
        on_slurm: whether Slurm writes logs there.
    """
    if not str(folder).isprintable():
        return Check("names", "BAD", f"{str(folder)!r} has control characters", "rename the folder")
    if on_slurm and (wrong := [sign for sign in _NOT_ON_SLURM if sign in str(folder)]):
        reason = f"jobs cannot be submitted from a folder with {' '.join(wrong)} in its name"
        return Check("names", "BAD", f"{folder}: {reason}", "rename it, or work elsewhere")
    bases = [base for experiment in config.experiments.values() for base in experiment.bases.values()]
    paths = dict.fromkeys([str(folder), config.config.config_dir, *filter(is_folder, bases)])
    odd = [path for path in paths if READ_BY_SHELLS.search(path)]
    if odd:
        found = f"a shell would take apart: {', '.join(map(repr, odd))}"
        return Check("names", "warn", found, "llast quotes them; rename them if other programs do not")
    return Check("names", "good", f"{len(paths)} paths without signs that a shell reads")


def check_site(site: Mapping[str, Mapping[str, str]]) -> Check:
    """What a profile says of partitions, accounts, options of sbatch and the container, as those read it who get it.

    Args:
        site: the texts of `llast.planning.machines.SITE` by rule; those of `train` go to our launcher, all others to
            Snakemake's plugin, which quotes all but the options of sbatch.
    """
    problems = [*_plugins(site), *_launchers(site.get("train", {}))]
    if problems:
        return Check("site", "BAD", "; ".join(problems), "correct it in the profile")
    return Check("site", "good", f"values for {len(site)} rules" if site else "no values of a cluster")


def _plugins(site: Mapping[str, Mapping[str, str]]) -> Iterable[str]:
    for rule, values in site.items():
        extra = values.get("slurm_extra", "")
        unquoted = re.sub(r"""'[^']*'|"[^"$`\\]*\"""", "", extra)
        if rule != "train" and re.search(r"[`$\\;&|<>()'\"\n]", unquoted):
            yield f"slurm_extra of {rule} would be executed by a shell: {extra!r}"


def _launchers(values: Mapping[str, str]) -> Iterable[str]:
    container = values.get("container_image", "")
    try:
        Machine(
            partition=values.get("slurm_partition", ""),
            account=values.get("slurm_account", ""),
            extra=values.get("slurm_extra", ""),
            container=container,
        )
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield f"train, {detail['loc'][0]}: {detail['msg'].removeprefix('Value error, ').rstrip('.')}"
        return
    if container and "://" not in container and not Path(container).exists():
        yield f"container_image of train: {container!r} does not exist"
