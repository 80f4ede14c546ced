"""Decoding clips to 16 kHz FLAC: against a bare loop over the same clips, and against a process of ffmpeg for each."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
from made_up import clip, make_release
from record import Measured, Ran, growth, in_turn, main, run

LOOP = """
import io, sys, pathlib, soundfile, soxr
for _ in range(int(sys.argv[2])):
    for path in pathlib.Path(sys.argv[1]).iterdir():
        signal, rate = soundfile.read(path, dtype="float32")
        file = io.BytesIO()
        soundfile.write(file, soxr.resample(signal, rate, 16000), 16000, format="FLAC", subtype="PCM_16")
"""
FFMPEG = (
    "for f in {0}/clips/*; do ffmpeg -nostdin -loglevel error -i $f -ar 16000 -ac 1 -y {0}/out.flac; done"
)
DIFFERENT, MEAN_S, TINY_S = 40, 4.7, 0.15  # clips that differ, and their mean length in Common Voice 4
GROWTH = (1, 4, 16)
ENGLISH = 320_492  # clips of English in CoVoST-2, the most of any language
MOST_CPU, LEAST_SPEED_UP, LEAST_OVER_FFMPEG, MOST_GROWTH = 1.3, 1.7, 10.0, 1.2
MOST_MIB = 1024 + 2 * 150


def command(fetched: Path, workers: int) -> list[str]:
    """The step on an archive, from the start."""
    output = fetched.parent / "out"
    shutil.rmtree(output, ignore_errors=True)
    step = ["resample", "--fetched", str(fetched), "--output", str(output / "summary.json")]
    return [sys.executable, "-m", "llast", *step, "--workers", str(workers)]


def resample(fetched: Path, workers: int = 1) -> Ran:
    """Run the step."""
    return run(command(fetched, workers))


def peak_of_all(fetched: Path, workers: int) -> float:
    """Most memory that the step's processes have of their own, all together, in MiB."""
    process = subprocess.Popen(command(fetched, workers), stderr=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            most = max(most, sum(process.memory_full_info().uss for process in family) / 2**20)
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"resample ended with {process.returncode}")
    return most


def measure(full: bool) -> list[Measured]:
    """The bare loop's files are in memory and it writes nothing: what is left is what no program can do without."""
    count, rounds, tiny = (4000, 3, ENGLISH) if full else (800, 2, 8000)
    seconds = [MEAN_S * (0.5 + number / (DIFFERENT - 1)) for number in range(DIFFERENT)]
    clips = [clip(number, length) for number, length in enumerate(seconds)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        for number, data in enumerate(clips):
            (folder / f"clips/{number}.mp3").write_bytes(data)
        grown = {times: make_release(folder / f"x{times}", clips, count * times // 16) for times in GROWTH}
        ran: dict[str, list[Ran]] = defaultdict(list)
        loop = [sys.executable, "-c", LOOP, str(folder / "clips"), str(count // DIFFERENT)]
        ffmpeg = ["bash", "-c", FFMPEG.format(folder)]
        in_turn(
            {
                **({"ffmpeg": lambda: ran["ffmpeg"].append(run(ffmpeg))} if shutil.which("ffmpeg") else {}),
                "bare": lambda: ran["bare"].append(run(loop)),
                "one": lambda: ran["one"].append(resample(grown[16])),
                "two": lambda: ran["two"].append(resample(grown[16], workers=2)),
                "four": lambda: ran["four"].append(resample(grown[4])),
                "one's start": lambda: ran["one's start"].append(resample(grown[1])),
                "two's start": lambda: ran["two's start"].append(resample(grown[1], workers=2)),
            },
            rounds,
            warm_up=False,
        )
        cpu = {side: statistics.median(took.cpu_seconds for took in several) for side, several in ran.items()}
        wall = {side: statistics.median(took.seconds for took in several) for side, several in ran.items()}
        memory = {
            share: peak_of_all(make_release(folder / f"tiny{share}", [clip(0, TINY_S)], tiny // share), 2)
            for share in (16, 1)
        }
    more, spoken = count - count // 16, count * MEAN_S
    speed = {side: more / (wall[side] - wall[f"{side}'s start"]) for side in ("one", "two")}
    records = [
        Measured(
            "resample",
            f"CPU time of `llast resample` on an archive of {count:,} clips is at most {MOST_CPU} times that of a bare "
            "loop over the same clips with soundfile and soxr; both with their start",
            cpu["one"],
            "s",
            cpu["bare"],
            "bare loop",
            target=MOST_CPU * cpu["bare"] if full else None,  # a small archive is half the step's start
            limit=cpu["bare"],
            limit_is="the codecs alone",
            rounds=rounds,
            lower_is_better=True,
            rates={"resample_speed": spoken / cpu["one"]},
        ),
        Measured(
            "resample_workers",
            f"two workers are at least {LEAST_SPEED_UP} times as fast as one (time for {count:,} clips less that for "
            f"{count // 16:,}, which is mostly their start)",
            speed["two"],
            "clips/s",
            speed["one"],
            "one worker",
            target=LEAST_SPEED_UP * speed["one"],
            limit=2 * speed["one"],
            limit_is="twice one worker",
            rounds=rounds,
        ),
        growth(
            "resample_growth",
            "CPU time of one more clip of `llast resample`",
            "ms",
            {1: 1000 * cpu["one's start"], 4: 1000 * cpu["four"], 16: 1000 * cpu["one"]},
            {times: count * times // 16 for times in GROWTH},
            MOST_GROWTH,
            rounds,
        ),
        Measured(
            "resample_memory",
            f"two workers and the process that reads hold at most 1 GiB and 150 MiB a worker, for {tiny:,} clips"
            + (", as many as English has" if full else "")
            + f", of {TINY_S} s",
            memory[1],
            "MiB",
            ours_is=f"{memory[16]:,.0f} MiB for {tiny // 16:,}",
            target=MOST_MIB,
            lower_is_better=True,
        ),
    ]
    if "ffmpeg" not in cpu:
        print("resample_ffmpeg: not measured, there is no ffmpeg here (apt-get install ffmpeg)")
        return records
    ours, theirs = count / cpu["one"], DIFFERENT / cpu["ffmpeg"]
    records.append(
        Measured(
            "resample_ffmpeg",
            f"clips a core-second: at least {LEAST_OVER_FFMPEG:.0f} times as many as with a process of ffmpeg for each",
            ours,
            "clips/s",
            theirs,
            "ffmpeg for each clip",
            target=LEAST_OVER_FFMPEG * theirs if full else None,
            rounds=rounds,
        )
    )
    return records


if __name__ == "__main__":
    main(measure)
