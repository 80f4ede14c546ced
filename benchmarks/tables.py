"""join, filter, mix and statistics at the size of CoVoST-2: all 36 pairs with their official rows, made up."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from made_up import make_up, rows
from record import Measured, Ran, growth, in_turn, main, run

from llast.languages import EN_X, PAIRS, SPLITS, source_languages

TARGET_S, TARGET_MIB, TARGET_GROWTH = 180.0, 4096.0, 1.5


def step(folder: Path, verb: str, *arguments: object) -> Ran:
    """Run a verb as its rule does, its output below `folder`."""
    output = folder / verb / "summary.json"
    return run([sys.executable, "-m", "llast", verb, "--output", str(output), *map(str, arguments)])


def join_and_filter(folder: Path, source: str) -> dict[str, Ran]:
    """The two steps of a language, one after the other."""
    own, resampled = folder / source, folder / "resample" / source / "summary.json"
    joined = step(own, "join", "--fetched", folder / "fetch" / source / "summary.json")
    inputs = ["--joined", own / "join/summary.json", "--resampled", resampled]
    return {"join": joined, "filter": step(own, "filter", *inputs, "--options", '{"max_missing": 0.5}')}


def mix(folder: Path, sources: Sequence[str], pairs: Sequence[str]) -> Ran:
    """Translation and recognition rows of all pairs, with the guard against leaks."""
    filtered = [folder / source / "filter/summary.json" for source in sources]
    options = json.dumps({"pairs": list(pairs), "leakage": "drop"})
    return step(folder, "mix", "--filtered", *filtered, "--seed", 1, "--options", options)


def whole(share: float) -> tuple[float, float, dict[str, Ran]]:
    """Seconds and CPU seconds of all 36 pairs, two languages at a time; and the steps of English and the mixture."""
    sources = source_languages(PAIRS)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as two:
        folder = Path(name)
        for source in sources:
            make_up(folder, source, share)
        began = time.perf_counter()
        ran = list(
            two.map(
                lambda source: join_and_filter(folder, source), sorted(sources, key=lambda code: code != "en")
            )
        )
        mixed = mix(folder, sources, PAIRS)
        took = time.perf_counter() - began
        places = [(f"resample/{source}", f"{source}/join", f"{source}/filter") for source in sources]
        corpus = [folder / place / "summary.json" for of_source in places for place in of_source]
        table = ["statistics", "--corpus", *map(str, corpus), "--output", str(folder / "statistics.csv")]
        counted = run([sys.executable, "-m", "llast", *table])
    cpu = mixed.cpu_seconds + sum(step_ran.cpu_seconds for steps in ran for step_ran in steps.values())
    return took, cpu, {**ran[0], "mix": mixed, "statistics": counted}


def grown(most: float, rounds: int) -> list[Measured]:
    """Each step at 1, 4 and 16 times the size, for the 15 pairs out of English; 16 is `most` of their rows."""
    shares = {times: most * times / 16 for times in (1, 4, 16)}
    work = {
        times: sum(rows(pair, split, share) for pair in EN_X for split in SPLITS)
        for times, share in shares.items()
    }
    ran: dict[str, dict[int, list[float]]] = {
        verb: {1: [], 4: [], 16: []} for verb in ("join", "filter", "mix")
    }
    with tempfile.TemporaryDirectory() as name:
        folders = {times: Path(name) / str(times) for times in shares}
        for times, share in shares.items():
            make_up(folders[times], "en", share)

        def steps(times: int) -> None:
            done = {**join_and_filter(folders[times], "en"), "mix": mix(folders[times], ["en"], EN_X)}
            for verb, took in done.items():
                ran[verb][times].append(took.cpu_seconds)

        in_turn({str(times): lambda times=times: steps(times) for times in shares}, rounds, warm_up=False)  # type: ignore[misc]
    return [
        growth(
            f"{verb}_growth",
            f"CPU time of one more row of `llast {verb}`",
            "µs",
            {times: 1e6 * statistics.median(several) for times, several in seconds.items()},
            work,
            TARGET_GROWTH,
            rounds,
        )
        for verb, seconds in ran.items()
    ]


def measure(full: bool) -> list[Measured]:
    """English is 15 of the 36 pairs and needs the most memory of join and filter."""
    share = 1.0 if full else 1 / 50
    count = sum(rows(pair, split, share) for pair in PAIRS for split in SPLITS)
    seconds, cpu, found = whole(share)
    memory = {verb: took.peak_mib for verb, took in found.items()}
    return [
        Measured(
            "tables",
            f"join, filter and mix of all 36 pairs, {count:,} rows, on two cores take minutes",
            seconds,
            "s",
            ours_is=f"{cpu:.0f} s of CPU time",
            target=TARGET_S,
            lower_is_better=True,
            rates={"table_speed": 3 * count / cpu},
        ),
        Measured(
            "tables_memory",
            "the largest process of the tables",
            max(memory.values()),
            "MiB",
            ours_is=", ".join(f"{verb} {mib:,.0f} MiB" for verb, mib in memory.items()),
            target=TARGET_MIB,
            lower_is_better=True,
        ),
        *grown(1.0 if full else 1 / 32, 3),
    ]


if __name__ == "__main__":
    main(measure)
