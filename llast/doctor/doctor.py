"""`llast doctor`: is everything here that a workflow needs?"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from llast.config.layout import model_file
from llast.config.resolved import ResolvedConfig, resolve
from llast.doctor.check import Check
from llast.doctor.cluster import check_slurm
from llast.doctor.names import check_names, check_site
from llast.doctor.places import check_disk, check_folder, check_hub, check_mlflow
from llast.doctor.software import check_deepspeed, check_packages, check_python, check_torch
from llast.doctor.source import check_source
from llast.errors import ConfigError
from llast.model.bases import known_bases
from llast.planning.figures import load_figures
from llast.planning.jobs import Estimates
from llast.planning.machines import Machines, merged_configuration, read_profile


def doctor(
    configfile: Sequence[Path] = (),
    profile: Path | None = None,
    benchmarks: Path = Path("benchmarks/results"),
) -> Iterator[str]:
    """A line per check, each with its remedy.

    Args:
        configfile: as for `llast plan`.
        profile: folder of a Snakemake profile; None: all on this machine.
        benchmarks: records of `make bench`.

    Raises:
        ConfigError: something needed is broken.
    """
    machines = read_profile(profile)
    values, files = merged_configuration(configfile, machines)
    config = resolve(values, files)
    bad = []
    for check in checks(config, machines, benchmarks):
        yield check.line()
        if check.status == "BAD":
            bad.append(check.name)
    if bad:
        raise ConfigError(f"broken, and needed: {', '.join(bad)}. What to do stands behind each -> above.")


def checks(config: ResolvedConfig, machines: Machines, benchmarks: Path) -> Iterator[Check]:
    """All checks, the quick ones of the software first."""
    here = Path.cwd()
    yield check_python()
    yield check_packages(Path("constraints.txt"))
    needs_gpu = machines.train_gpus > 0 or machines.decode_gpus > 0
    yield from check_torch(needs_gpu, machines.slurm)
    yield check_deepspeed()
    if machines.slurm:
        yield from check_slurm(machines.partitions)
    else:
        yield Check("Slurm", "-", "not needed: no profile that uses it")
    yield check_folder(here, machines.slurm)
    yield check_names(config, here, machines.slurm)
    yield check_site(machines.site)
    jobs = Estimates(config, machines, load_figures(benchmarks)).jobs()
    yield check_disk(here, sum(job.disk_gb for job in jobs if not job.done))
    yield check_source(config, os.environ)
    yield check_mlflow(config.config.tracking_uri)
    waiting = [base for base in config.models.values() if not Path(model_file(base)).exists()]
    bases = known_bases()
    gated = [base for base in waiting if (known := bases.get(base.partition("@")[0])) and known.gated]
    yield from check_hub(waiting, gated, os.environ)
