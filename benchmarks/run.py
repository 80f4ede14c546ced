"""Run every benchmark in this folder, one after the other, and write docs/performance.md from their records.

`python benchmarks/run.py [--full | --gpu] [NAME ...]`, or `make bench [FULL=1 | GPU=1]`. A script is ended after ten
minutes, with `--full` after an hour. The exit code is 1 if a script failed, and at full size if a target was missed.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from page import PAGE, read_records, render
from record import number

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SHARED = {"flops", "made_up", "page", "record", "run"}
ON_GPU = {"training_step", "decoding"}
CLEAN_UP_S = 30
LIMIT_S = {False: 600, True: 3600}


def scripts() -> list[Path]:
    """The benchmarks: what lies in benchmarks/demo needs the results of `make demo` and measures no speed."""
    return [path for path in sorted(HERE.glob("*.py")) if path.stem not in SHARED]


def execute(command: list[str], limit_s: float) -> str:
    """Run a script, and end it with all that it started if it takes too long; why it failed, or nothing."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        code = process.wait(limit_s)
        return f"exit code {code}" if code else ""
    except subprocess.TimeoutExpired:
        return f"not done in {limit_s:.0f} s"
    finally:
        if process.poll() is None:  # too long, or Ctrl-C here: it may put away what it has made
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(CLEAN_UP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def missed_targets(records: Path) -> list[str]:
    """A line for each claim of a script whose target was missed."""
    return [
        f"{record['name']}: {number(record['ours'])} {record['unit']}, target {number(record['target'])}"
        for record in json.loads(records.read_text(encoding="utf-8"))
        if record["met"] is False
    ]


def main() -> int:
    """Run what was asked for and write the page; 1 if a script failed, or at full size a target was missed."""
    known = [path.stem for path in scripts()]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {' '.join(known)}")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="the sizes that the claims speak of")
    size.add_argument("--gpu", action="store_true", help="on this machine's GPU, in the shapes of LLaST-2B")
    parser.add_argument(
        "--render", action="store_true", help="run nothing, write the page from what is there"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"no benchmark {' '.join(sorted(unknown))}; there are {' '.join(known)}")
    if arguments.gpu and (cpu_only := set(arguments.names) - ON_GPU):
        parser.error(f"{' '.join(sorted(cpu_only))}: not on a GPU; there are {' '.join(sorted(ON_GPU))}")
    failed, missed = [], []
    RESULTS.mkdir(exist_ok=True)
    PAGE.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    more = ["--full", "--device", "cuda", "--shape", "2b"] if arguments.gpu else ["--full"] * arguments.full
    chosen = set(arguments.names or known) & (ON_GPU if arguments.gpu else set(known))
    for path in [] if arguments.render else scripts():
        if path.stem not in chosen:
            continue
        print(f"== {path.stem}", flush=True)
        output = RESULTS / f"{path.stem}{'-2b' if arguments.gpu else '-full' if arguments.full else ''}.json"
        started = time.monotonic()
        code = execute([sys.executable, str(path), "--output", str(output), *more], LIMIT_S["--full" in more])
        if code:
            failed.append(path.stem)
            print(f"== {path.stem} failed: {code}", file=sys.stderr)
        else:
            missed += missed_targets(output)
        print(f"== {path.stem}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"== all: {time.monotonic() - began:.0f} s")
    records = read_records([HERE / "kept", RESULTS])
    PAGE.write_text(render(records), encoding="utf-8")
    print(f"{PAGE}: {len(records)} records" + (f"; failed: {' '.join(failed)}" if failed else ""))
    if missed:
        print("missed targets:", *missed, sep="\n  ", file=sys.stderr)
    return bool(failed or (missed and "--full" in more))


if __name__ == "__main__":
    sys.exit(main())
