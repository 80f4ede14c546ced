"""`llast plan`: what a workflow would do, before anything runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llast.config.resolved import resolve
from llast.planning.figures import Figure, load_figures
from llast.planning.jobs import Estimates, Job
from llast.planning.machines import merged_configuration, read_profile
from llast.planning.work import Work


@dataclass(frozen=True)
class Stage:
    """The jobs of one rule, added up; attributes as those of `Job`."""

    name: str
    jobs: int
    done: int
    rows: float
    audio_hours: float
    disk_gb: float
    core_hours: float
    gpu_hours: float


def stages(jobs: Iterable[Job]) -> list[Stage]:
    """Stages in the order of their first job."""
    by_name: dict[str, list[Job]] = {}
    for job in jobs:
        by_name.setdefault(job.stage, []).append(job)
    return [_sum(name, those) for name, those in by_name.items()]


def plan_text(
    configfile: Sequence[Path] = (),
    profile: Path | None = None,
    benchmarks: Path = Path("benchmarks/results"),
) -> str:
    """The plan as text: jobs and costs per stage, per run, and what the figures rest on.

    Args:
        configfile: laid over `config/config.yaml`, as Snakemake does; none: those of the profile.
        profile: folder of a Snakemake profile; None: this machine.
        benchmarks: records of `make bench`, which replace shipped figures.

    Raises:
        ConfigError: a configuration or profile that cannot be used.
    """
    machines = read_profile(profile)
    values, files = merged_configuration(configfile, machines)
    resolved = resolve(values, files)
    figures = load_figures(benchmarks)
    estimates = Estimates(resolved, machines, figures)
    jobs = list(estimates.jobs())
    left = _sum("left", [job for job in jobs if not job.done])
    where = f"{machines.train_gpus} GPUs a training" if machines.train_gpus else "training on CPU"
    lines = [
        f"{' + '.join(map(str, files))}: corpus {resolved.config.corpus} ({len(resolved.corpus.pairs)} pairs, "
        f"{len(resolved.sources)} source languages), {len(resolved.experiments)} experiments x "
        f"{len(resolved.config.seeds)} seeds; {profile or 'this machine'}: {where}",
        "",
        *_table([*stages(jobs), _sum("all", jobs), left]),
        "",
        *_runs(estimates, jobs, resolved.config.seeds[0], machines.train_gpus or machines.train_cores),
        "",
        "`done` counts outputs that exist; whether they still fit the configuration: snakemake -n. `left` is the rest.",
    ]
    if not resolved.synthetic:
        size = sum(map(estimates.amounts.archive_bytes, resolved.sources)) / 1e9
        lines.append(
            f"Archives of the corpus: {size:,.0f} GB beside this, read in place where the source is local."
        )
    if estimates.unknown:
        lines.append(
            f"Not counted, since their shape is unknown until they are fetched: {', '.join(estimates.unknown)}."
        )
    if not resolved.corpus.official_counts and not resolved.synthetic:
        lines.append(
            "The corpus does not claim the published counts; rows and hours are those of CoVoST-2 all the same."
        )
    return "\n".join([*lines, "", *_assumptions(figures.values())]) + "\n"


def _sum(name: str, jobs: Sequence[Job]) -> Stage:
    return Stage(
        name,
        len(jobs),
        sum(job.done for job in jobs),
        sum(job.rows for job in jobs),
        sum(job.audio_hours for job in jobs),
        sum(job.disk_gb for job in jobs),
        sum(job.core_hours for job in jobs),
        sum(job.gpu_hours for job in jobs),
    )


def _table(stages: Sequence[Stage]) -> list[str]:
    *parts, _, _ = stages
    head = f"{'stage':<12}{'jobs':>6}{'done':>6}{'rows':>13}{'audio h':>10}"
    head += f"{'disk GB':>10}{'core-hours':>12}{'GPU-hours':>11}"
    rows = [
        f"{one.name:<12}{one.jobs:>6,}{one.done:>6,}"
        + ("" if one in stages[-2:] else f"{one.rows:>13,.0f}{_short(one.audio_hours):>10}").ljust(23)
        + f"{_short(one.disk_gb):>10}{_short(one.core_hours):>12}{_short(one.gpu_hours):>11}"
        for one in stages
    ]
    rule = "-" * len(head)
    return [head, rule, *rows[: len(parts)], rule, *rows[len(parts) :]]


def _runs(estimates: Estimates, jobs: Sequence[Job], seed: int, units: int) -> list[str]:
    """What each experiment is, for one seed."""
    lines = []
    for name in dict.fromkeys(job.run.partition(",")[0] for job in jobs if job.run):
        mine = [job for job in jobs if job.run == f"{name}, seed {seed}"]
        train = next((job for job in mine if job.stage == "train"), None)
        if train is None:
            lines.append(f"{name}: not trained, evaluated as it comes")
            continue
        rows, clips, _ = estimates.training_rows(name)
        line = f"{name}: {rows:,.0f} rows on {clips:,.0f} clips, {estimates.steps(name):,} steps"
        work = estimates.work(name)
        if isinstance(work, Work):
            hours = train.gpu_hours or train.core_hours
            kind = "GPU-hours" if train.gpu_hours else "core-hours"
            line += (
                f", {work.trainable / 1e6:,.1f} M parameters trained; {_short(hours)} {kind}, "
                f"{_short(hours / units)} h on {units}"
            )
        lines.append(line)
    return lines


def _assumptions(figures: Iterable[Figure]) -> list[str]:
    lines = ["Estimates rest on (make bench replaces what it measures on this machine):"]
    for one in figures:
        origin = f"measured here: {one.source}" if one.measured else one.source
        lines.append(f"  {one.name:<21}{one.value:>10.4g}  {one.unit}; {origin}")
    return lines


def _short(value: float) -> str:
    if value == 0:
        return "-"
    if value < 0.005:
        return "<0.01"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
