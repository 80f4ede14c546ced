"""Run every benchmark in this folder, one after the other, and write docs/performance.md from their records.

`python benchmarks/run.py [--full] [NAME ...]`, or `make bench [FULL=1]`. A script is ended after ten minutes, with
`--full` after an hour.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from page import PAGE, read_records, render

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SHARED = {"made_up", "page", "record", "run"}
LIMIT_S = {False: 600, True: 3600}


def scripts() -> list[Path]:
    """The benchmarks: what lies in benchmarks/demo needs the results of `make demo` and measures no speed."""
    return [path for path in sorted(HERE.glob("*.py")) if path.stem not in SHARED]


def main() -> int:
    """Exit code 1 if a script failed; the page is written from those that did not."""
    known = [path.stem for path in scripts()]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {' '.join(known)}")
    parser.add_argument("--full", action="store_true", help="the sizes that the claims speak of")
    parser.add_argument(
        "--render", action="store_true", help="run nothing, write the page from what is there"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"no benchmark {' '.join(sorted(unknown))}; there are {' '.join(known)}")
    failed = []
    RESULTS.mkdir(exist_ok=True)
    PAGE.parent.mkdir(exist_ok=True)
    for path in [] if arguments.render else scripts():
        if arguments.names and path.stem not in arguments.names:
            continue
        print(f"== {path.stem}", flush=True)
        command = [sys.executable, str(path), "--output", str(RESULTS / f"{path.stem}.json")]
        started = time.monotonic()
        try:
            subprocess.run(
                command + ["--full"] * arguments.full,
                check=True,
                timeout=LIMIT_S[arguments.full],
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            failed.append(path.stem)
            print(f"== {path.stem} failed: {error}", file=sys.stderr)
        print(f"== {path.stem}: {time.monotonic() - started:.0f} s", flush=True)
    records = read_records([HERE / "kept", RESULTS])
    PAGE.write_text(render(records), encoding="utf-8")
    print(f"{PAGE}: {len(records)} records" + (f"; failed: {' '.join(failed)}" if failed else ""))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
