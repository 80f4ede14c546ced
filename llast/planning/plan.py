"""`llast plan`: what a workflow would do, before anything runs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from llast.config.resolved import resolve
from llast.planning.cost import LlastCost
from llast.planning.figures import Figure, load_figures
from llast.planning.jobs import Estimates
from llast.planning.machines import merged_configuration, read_profile

AMOUNTS = ("rows", "audio_hours", "disk_gb", "core_hours", "gpu_hours")


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
    jobs = pd.DataFrame([{**asdict(job), "done": job.done} for job in estimates.jobs()])
    where = f"{machines.train_gpus} GPUs a training" if machines.train_gpus else "training on CPU"
    lines = [
        f"{' + '.join(map(str, files))}: corpus {resolved.config.corpus} ({len(resolved.corpus.pairs)} pairs, "
        f"{len(resolved.sources)} source languages), {len(resolved.experiments)} experiments x "
        f"{len(resolved.config.seeds)} seeds; {profile or 'this machine'}: {where}",
        "",
        *_table(jobs),
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


def _table(jobs: pd.DataFrame) -> list[str]:
    """The jobs added up: a line per stage in the order of the flow, then all of them and those that are left."""

    def line(name: str, group: pd.DataFrame, amounts: bool = True) -> str:
        total = group[list(AMOUNTS)].sum()
        handled = f"{total.rows:>13,.0f}{_short(total.audio_hours):>10}" if amounts else " " * 23
        return (
            f"{name:<12}{len(group):>6,}{group.done.sum():>6,}{handled}"
            f"{_short(total.disk_gb):>10}{_short(total.core_hours):>12}{_short(total.gpu_hours):>11}"
        )

    head = f"{'stage':<12}{'jobs':>6}{'done':>6}{'rows':>13}{'audio h':>10}"
    head += f"{'disk GB':>10}{'core-hours':>12}{'GPU-hours':>11}"
    rule = "-" * len(head)
    stages = [line(str(stage), group) for stage, group in jobs.groupby("stage", sort=False)]
    totals = [line("all", jobs, False), line("left", jobs[~jobs.done], False)]
    return [head, rule, *stages, rule, *totals]


def _runs(estimates: Estimates, jobs: pd.DataFrame, seed: int, units: int) -> list[str]:
    """What each experiment is, for one seed."""
    lines = []
    trainings = jobs[(jobs.stage == "train") & (jobs.seed == seed)].set_index("experiment")
    for name in dict.fromkeys(filter(None, jobs.experiment)):
        if name not in trainings.index:
            lines.append(f"{name}: only evaluated, not trained")
            continue
        train = trainings.loc[name]
        rows, clips, _ = estimates.training_rows(name)
        line = f"{name}: {rows:,.0f} rows on {clips:,.0f} clips, {estimates.steps(name):,} steps"
        cost = estimates.cost(name)
        if isinstance(cost, LlastCost):
            hours = train.gpu_hours or train.core_hours
            kind = "GPU-hours" if train.gpu_hours else "core-hours"
            line += (
                f", {cost.trained_parameters / 1e6:,.1f} M parameters trained; {_short(hours)} {kind}, "
                f"{_short(hours / units)} h on {units}"
            )
        lines.append(line)
    return lines


def _assumptions(figures: Iterable[Figure]) -> list[str]:
    lines = ["Estimates rest on (make bench replaces what it measures on this machine):"]
    for figure in figures:
        origin = f"measured here: {figure.source}" if figure.measured else figure.source
        lines.append(f"  {figure.name:<21}{figure.value:>10.4g}  {figure.unit}; {origin}")
    return lines


def _short(value: float) -> str:
    if value == 0:
        return "-"
    if value < 0.005:
        return "<0.01"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
