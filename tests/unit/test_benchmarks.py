"""The benchmarks share arguments, records and a runner, which writes the page even if one of them fails."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHARED = ("flops", "made_up", "page", "record", "run")
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in SHARED)
GOOD = """
from record import Measured, main

def measure(full):
    return [
        Measured(
            "rate", "a | b", 4000 if full else 400, "clips/s", 100, "ffmpeg", target=400, limit=800, limit_is="disk"
        ),
        Measured(
            "time", "is quick", 2.0, "s", 3.0, "other", ours_is="`b` of two", target=1.0, rounds=3, lower_is_better=True
        ),
    ]

main(measure)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `benchmarks` with the shared parts and no benchmark."""
    (tmp_path / "benchmarks").mkdir()
    for name in SHARED:
        shutil.copy(BENCHMARKS / f"{name}.py", tmp_path / "benchmarks")
    return tmp_path / "benchmarks"


def python(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_takes_the_same_arguments(name: str) -> None:
    result = python(BENCHMARKS / f"{name}.py", "--help")
    assert result.returncode == 0, result.stderr
    assert "--full" in result.stdout
    assert "--output FILE.json" in result.stdout


def test_a_record_says_how_much_better_ours_is_and_how_near_the_limit(folder: Path, tmp_path: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    assert python(folder / "good.py", "--full", "--output", tmp_path / "x.json").returncode == 0
    rate, time = json.loads((tmp_path / "x.json").read_text())
    assert (rate["ratio"], rate["nearness"], rate["met"]) == (40, 5, True)
    assert (time["ratio"], time["nearness"], time["met"]) == (1.5, None, False)
    assert rate["full"]
    assert rate["command"] == "python benchmarks/good.py --full"
    assert rate["cores"] >= 1
    assert "GiB" in rate["machine"]
    assert python(folder / "good.py", "--output", tmp_path / "x.json").returncode == 0
    reduced = json.loads((tmp_path / "x.json").read_text())[0]
    assert (reduced["ours"], reduced["full"]) == (400, False)


def test_all_run_although_one_fails_and_the_page_has_the_others_and_what_was_kept(folder: Path) -> None:
    (folder / "bad.py").write_text("raise SystemExit('no')")
    (folder / "good.py").write_text(GOOD)
    result = python(folder / "run.py")
    assert result.returncode == 1
    assert "bad failed" in result.stderr
    (mine,) = {record["machine"] for record in json.loads((folder / "results/good.json").read_text())}
    kept = json.loads((folder / "results/good.json").read_text())
    (folder / "kept").mkdir()
    (folder / "kept/other.json").write_text(
        json.dumps(
            [
                {**kept[0], "machine": "another", "ours": 7.25},
                {**kept[0], "ours": 999},
                {**kept[1], "ours": 77, "full": True, "date": "2020-01-01"},
            ]
        )
    )
    assert python(folder / "run.py", "--render").returncode == 0
    page = (folder.parent / "docs/performance.md").read_text()
    assert f"## {mine}" in page
    assert "## another" in page
    assert (
        "| **rate**: a \\| b | 400 clips/s | 400 clips/s (met) | 100 clips/s (ffmpeg) | 4.00 "
        "| 800 clips/s (disk) | 50% |" in page
    )
    assert "7.25 clips/s" in page
    assert "999" not in page, "what this machine measured itself replaces what was kept"
    assert "| **time**: is quick | 77 s (`b` of two) | 1 s (**missed**) |" in page, (
        "but a reduced size replaces no full one"
    )


def test_a_missed_target_fails_at_full_size_once_all_is_measured_and_written(folder: Path) -> None:
    (folder / "first.py").write_text(GOOD)
    (folder / "second.py").write_text(GOOD.replace("target=1.0", "target=3.0").replace('"rate"', '"rate2"'))
    result = python(folder / "run.py", "--full")
    assert result.returncode == 1
    missed = result.stderr.split("missed targets:")[1].split("\n")
    assert [line.split(":")[0].strip() for line in missed if line] == ["time"], "the one that was missed"
    page = (folder.parent / "docs/performance.md").read_text()
    assert page.count("**rate") == 2, "both scripts ran and are on the page"
    assert python(folder / "run.py", "--full", "second").returncode == 0, (
        "what it did not measure does not count"
    )
    assert python(folder / "run.py", "first").returncode == 0, "a reduced size is not held to the targets"


def test_the_page_is_that_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from page import PAGE, read_records, render  # type: ignore[import-not-found]

    kept, own = BENCHMARKS / "kept", BENCHMARKS / "results"
    assert PAGE.read_text(encoding="utf-8") in (
        render(read_records([kept])),
        render(read_records([kept, own])),
    )


def test_a_claim_is_the_same_text_on_every_machine() -> None:
    claims: dict[str, set[str]] = {}
    for path in (BENCHMARKS / "kept").glob("*.json"):
        for record in json.loads(path.read_text(encoding="utf-8")):
            claims.setdefault(record["name"], set()).add(record["claim"])
    assert {name: texts for name, texts in claims.items() if len(texts) > 1} == {}


def test_a_reduced_run_replaces_no_full_one(folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    for arguments in (["--full"], []):
        python(folder / "run.py", *arguments)
    page = (folder.parent / "docs/performance.md").read_text()
    assert "| 4,000 clips/s |" in page
    assert "| full |" in page
    assert "reduced |" not in page


@pytest.mark.slow
def test_a_script_that_takes_too_long_is_ended_with_all_that_it_started(folder: Path) -> None:
    child = (
        "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    ending = f"import run, sys; print(run.execute([sys.executable, '-c', {child!r}], 10.0))"
    result = subprocess.run(
        [sys.executable, "-c", ending], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    sleeping, why = result.stdout.splitlines()
    assert why == "not done in 10 s"
    deadline = time.monotonic() + 30
    while not ended(int(sleeping)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for process 1 to reap it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_memory_of_a_command_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import record  # type: ignore[import-not-found]

    ballast = bytearray(512 * 2**20)
    ran = record.run([sys.executable, "-c", "print('x')"])
    assert len(ballast) > 2**20 * ran.peak_mib
    assert ran.output == "x\n"
    with pytest.raises(RuntimeError, match="no such thing"):
        record.run([sys.executable, "-c", "raise SystemExit('no such thing')"])


@pytest.mark.slow
def test_attention_on_the_cpu_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import torch
    from flops import flops  # type: ignore[import-not-found]

    heads, length, width = 2, 8, 4
    states = torch.zeros(1, heads, length, width, requires_grad=True)
    product = 2 * heads * length * length * width

    def attend() -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(states, states, states)

    assert flops(attend) == 2 * product
    assert flops(lambda: attend().sum().backward()) == (2 + 5) * product, "scores are computed again"


def test_no_side_always_comes_after_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from record import in_turn

    ran = ""

    def side(name: str) -> None:
        nonlocal ran
        ran += name

    sides = {name: lambda name=name: side(name) for name in "abc"}
    seconds = in_turn(sides, rounds=3, before=lambda: side("-"))
    assert ran.replace("-", "") == "abc" + "abc" + "cba" + "abc", (
        "a warm-up, then every other round backwards"
    )
    assert ran.count("-") == 12
    assert set(seconds) == set("abc")


def test_growth_is_the_cost_of_one_more_unit_without_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from record import growth

    work = {1: 10, 4: 40, 16: 160}
    straight = growth(
        "x", "one more row", "s", {times: 50.0 + 2 * rows for times, rows in work.items()}, work, 1.2, 3
    )
    assert (straight.alternative, straight.ours, straight.ratio, straight.met) == (2.0, 2.0, 1.0, True)
    assert straight.claim == "one more row, at 40 to 160 of them"
    squared = growth(
        "x", "one more row", "s", {times: float(rows**2) for times, rows in work.items()}, work, 1.2, 3
    )
    assert (squared.alternative, squared.ours, squared.met) == (50.0, 200.0, False)
