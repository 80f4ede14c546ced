"""What every script here shares: its arguments, how both sides are timed in turn, and the form of a record.

A script measures one or more claims and ends with

    if __name__ == "__main__":
        main(measure)          # measure(full: bool) -> list of Measured

and is run as `python benchmarks/SCRIPT.py [--full] [--output FILE.json]`. By default it takes a reduced size, at most
two minutes on two cores; `--full` takes the size that the claim speaks of.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Measured:
    """One claim, measured.

    Attributes:
        name: short and stable, such as `resample` or `plan_memory`; one row of docs/performance.md.
        claim: what is claimed, in one sentence that the numbers can contradict, with the size measured; the same text
            on every machine, so nothing that was measured.
        ours: median of our side, in `unit`; of memory, the most.
        unit: such as `clips/s` or `s`.
        ours_is: what else was measured of our side, such as which verb is the slowest.
        alternative: median of the other side, in the same unit, measured in turn in the same run.
        alternative_is: what the other side is, such as `ffmpeg per clip`.
        target: what the claim asks for, in the same unit.
        limit: what the hardware allows, in the same unit.
        limit_is: what the limit is, such as `write and hash of the same bytes`.
        rounds: how often each side was measured.
        lower_is_better: true for times and sizes, false for rates.
        rates: figures for `llast plan`, by the name they have in llast/planning/figures.tsv.
    """

    name: str
    claim: str
    ours: float
    unit: str
    alternative: float | None = None
    alternative_is: str = ""
    _: KW_ONLY
    ours_is: str = ""
    target: float | None = None
    limit: float | None = None
    limit_is: str = ""
    rounds: int = 1
    lower_is_better: bool = False
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the alternative; below 1: worse."""
        return None if self.alternative is None else self._better_than(self.alternative)

    @property
    def nearness(self) -> float | None:
        """Ours as a share of the limit: 1 is at the limit."""
        return None if self.limit is None else self._better_than(self.limit)

    @property
    def met(self) -> bool | None:
        """Whether ours is at least as good as the target."""
        return None if self.target is None else self._better_than(self.target) >= 1

    def _better_than(self, other: float) -> float:
        return other / self.ours if self.lower_is_better else self.ours / other


def main(measure: Callable[..., Sequence[Measured]], **choices: Sequence[str]) -> None:
    """Run `measure`, print a line per claim, and write the records if `--output` is given.

    Args:
        measure: is given `full`, and a keyword for each of `choices`.
        choices: further options of the script and what they may be, the default first.
    """
    script = sys.modules[measure.__module__]
    parser = argparse.ArgumentParser(description=(script.__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--full", action="store_true", help="the size that the claim speaks of, not a reduced one"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="where to write the records")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0], help="default: %(default)s")
    arguments = parser.parse_args()
    chosen = {name: getattr(arguments, name) for name in choices}
    command = f"python benchmarks/{Path(str(script.__file__)).name}{' --full' if arguments.full else ''}"
    command += "".join(f" --{name} {value}" for name, value in chosen.items() if value != choices[name][0])
    records = []
    cores = len(os.sched_getaffinity(0))
    for measured in measure(arguments.full, **chosen):
        records.append(
            {
                **asdict(measured),
                "ratio": measured.ratio,
                "nearness": measured.nearness,
                "met": measured.met,
                "machine": machine(),
                "cores": cores,
                "date": date.today().isoformat(),
                "command": command,
                "full": arguments.full,
            }
        )
        print(line(measured), flush=True)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(record, ensure_ascii=False) for record in records
        ]  # a new figure is a changed line
        arguments.output.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def line(measured: Measured) -> str:
    """A claim's figures in one line."""
    unit = measured.unit
    text = f"{measured.name}: {number(measured.ours)} {unit}"
    if measured.ours_is:
        text += f" ({measured.ours_is})"
    if measured.alternative is not None and measured.ratio is not None:
        text += (
            f"; {measured.alternative_is}: {number(measured.alternative)} {unit}; ratio {measured.ratio:.2f}"
        )
    if measured.limit is not None:
        text += f"; {measured.limit_is}: {number(measured.limit)} {unit}"
    if measured.target is not None:
        text += f"; target: {number(measured.target)} {unit}, {'met' if measured.met else 'MISSED'}"
    return text


def number(value: float) -> str:
    """Three digits that count, with thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """Processor, memory and GPUs of this machine; no host name."""
    cpu = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = next((text.split(":", 1)[1].strip() for text in file if text.startswith("model name")), cpu)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [cpu, f"{os.cpu_count()} cores", f"{gigabytes:.0f} GiB"]
    models = [
        text.split(":", 1)[1].strip()
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for text in path.read_text(encoding="utf-8").splitlines()
        if text.startswith("Model:")
    ]
    parts += [f"{models.count(model)} x {model}" for model in dict.fromkeys(models)]
    return ", ".join(parts)


def in_turn(
    sides: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    warm_up: bool = True,
    before: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each side over several rounds, each round running every side once, one after the other.

    What disturbs the machine for a while disturbs all sides, so that ratios hold where the seconds do not. Every other
    round is in reverse order, so that no side always comes after the same one; `before` is called before each, untimed.
    `clock` may be `time.process_time`, which leaves out what other processes take.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(-warm_up, rounds):
        for name in list(sides)[:: -1 if round_ > 0 and round_ % 2 else 1]:
            before()
            started = clock()
            sides[name]()
            if round_ >= 0:
                seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


@dataclass(frozen=True)
class Ran:
    """A command that has ended well.

    Attributes:
        seconds: wall time.
        peak_mib: most resident memory of its largest process, in MiB.
        cpu_seconds: processor time of it and of all processes that it waited for.
        output: its standard output and error.
    """

    seconds: float
    peak_mib: float
    cpu_seconds: float
    output: str


CHILD = """
import json, os, sys, time
started = time.perf_counter()
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
took = [time.perf_counter() - started, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime]
os.write(int(sys.argv[1]), json.dumps(took).encode())
sys.exit(min(1, status))
"""
"""Runs a command. A process's peak memory begins at that of the process that starts it: this one's is small."""


def run(command: Sequence[str], **more: object) -> Ran:
    """Run a command to its end and say what it took. It does not see the user's MLflow.

    Raises:
        RuntimeError: it ended with another code than 0; with its output.
    """
    more.setdefault(
        "env", {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    )
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as took:
        started = [sys.executable, "-IS", "-c", CHILD, str(took.fileno()), *map(str, command)]
        process = subprocess.run(  # type: ignore[call-overload]
            started, stdout=output, stderr=output, pass_fds=(took.fileno(),), check=False, **more
        )
        output.seek(0)
        took.seek(0)
        text = output.read().decode(errors="replace")
        if process.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{text[-3000:]}")
        return Ran(*json.load(took), text)


def growth(
    name: str,
    claim: str,
    unit: str,
    cost: Mapping[int, float],
    work: Mapping[int, int],
    most: float,
    rounds: int,
    ours_is: str = "",
) -> Measured:
    """What one more unit of work costs between 4 and 16 times the work, and between 1 and 4 times: start-up cancels.

    Args:
        name: of the record.
        claim: what is done; the amounts of work are added.
        unit: of the cost.
        cost: of 1, 4 and 16 times the work.
        work: how much that is.
        most: how many times the one may be the other.
        rounds: how often each was measured.
        ours_is: what else was measured.
    """
    early, late = ((cost[to] - cost[at]) / (work[to] - work[at]) for at, to in ((1, 4), (4, 16)))
    return Measured(
        name,
        f"{claim}, at {work[4]:,} to {work[16]:,} of them",
        late,
        unit,
        early,
        f"at {work[1]:,} to {work[4]:,}",
        ours_is=ours_is,
        target=most * early,
        rounds=rounds,
        lower_is_better=True,
    )


def named(shape: str, device: str) -> str:
    """What tells a record's name from that of another shape or device: nothing for the small shape on the CPU."""
    return "".join([f"_{shape}" if shape != "small" else "", f"_{device}" if device != "cpu" else ""])


def clone_like(folder: Path) -> None:
    """Make a folder in which the workflow runs as in a clone, and leaves its results."""
    for part in ("workflow", "profiles", "llast", "tests", "config", "constraints.txt"):
        (folder / part).symlink_to(ROOT / part)


def peak_mib() -> float:
    """Most resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
