"""join, filter, mix and statistics at the size of CoVoST-2: all 36 pairs with their official rows, made up."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from made_up import make_up, rows
from record import Measured, Ran, main, run

from llast.languages import EN_X, PAIRS, SPLITS, source_languages

TARGET_S, TARGET_MIB = 180.0, 4096.0
GROWTH = (1, 4, 16)


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
    cpu = mixed.cpu_seconds + sum(one.cpu_seconds for steps in ran for one in steps.values())
    return took, cpu, {**ran[0], "mix": mixed}


def growth(most: float) -> dict[str, dict[int, float]]:
    """Microseconds of CPU time a row of each step at 1, 4 and 16 times the size, for the 15 pairs out of English."""
    per_row: dict[str, dict[int, float]] = {"join": {}, "filter": {}, "mix": {}}
    for times in GROWTH:
        share = most * times / max(GROWTH)
        count = sum(rows(pair, split, share) for pair in EN_X for split in SPLITS)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_up(folder, "en", share)
            ran = {**join_and_filter(folder, "en"), "mix": mix(folder, ["en"], EN_X)}
        for verb, one in ran.items():
            per_row[verb][times] = 1e6 * one.cpu_seconds / count
    return per_row


def measure(full: bool) -> list[Measured]:
    """English is 15 of the 36 pairs and needs the most memory of join and filter."""
    share = 1.0 if full else 1 / 50
    count = sum(rows(pair, split, share) for pair in PAIRS for split in SPLITS)
    seconds, cpu, found = whole(share)
    memory = {verb: one.peak_mib for verb, one in found.items()}
    records = [
        Measured(
            "tables",
            f"join, filter and mix of all 36 pairs, {count:,} rows, on two cores; {cpu:.0f} s of CPU time",
            seconds,
            "s",
            limit=TARGET_S,
            limit_is="target",
            lower_is_better=True,
            rates={"table_speed": 3 * count / cpu},
        ),
        Measured(
            "tables_memory",
            "the largest process: " + ", ".join(f"{verb} {mib:,.0f} MiB" for verb, mib in memory.items()),
            max(memory.values()),
            "MiB",
            limit=TARGET_MIB,
            limit_is="target",
            lower_is_better=True,
        ),
    ]
    for verb, per_row in growth(1 / 4 if full else 1 / 64).items():
        records.append(
            Measured(
                f"{verb}_growth",
                f"CPU time a row of `llast {verb}` at 16 times the rows; at 4 times {per_row[4]:.3g} µs",
                per_row[16],
                "µs",
                per_row[1],
                "1 time the rows",
                lower_is_better=True,
            )
        )
    return records


if __name__ == "__main__":
    main(measure)
