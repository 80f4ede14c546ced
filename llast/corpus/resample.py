"""Turn the clips that CoVoST-2 refers to into 16 kHz mono FLAC with random access."""

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from llast.artifacts import spec_hash
from llast.artifacts.corpus import (
    FetchDetails,
    FetchSummary,
    Quarantined,
    ResampleDetails,
    ResampleSummary,
)
from llast.config.corpus import ResampleOptions
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import clip_id
from llast.corpus.decode import DecodedClip, decode_clip, text_seconds
from llast.corpus.pool import map_in_order
from llast.corpus.readers import read_clips
from llast.corpus.store import complete_shards, shard_path, write_index, write_shard
from llast.corpus.tables import one_of_each, read_fetched
from llast.corpus.tsv import read_tsv_file
from llast.errors import DataError
from llast.languages import language
from llast.progress import progress


def resample(fetched: Path, output: Path, options: ResampleOptions, workers: int = 1) -> ResampleSummary:
    """Write the clips of a source language as a store (see `llast.corpus.store`), and the summary.

    The archive is read once, without unpacking it. Shards come in the order of the archive and do not depend
    on the number of workers. They lie in a folder named by a hash of everything that they depend on, so that
    an interrupted run goes on after its last complete shard and a changed one starts afresh. Clips that
    stay in place are decoded as well, to see whether they can be.

    Args:
        fetched: summary of the step fetch.
        output: folder to write into.
        options: bounds and shard size.
        workers: processes that decode; with 1, decoding happens in this one.

    Raises:
        DataError: the archive or a table is missing or broken, there is none of the clips, or a worker died.
    """
    began = time.monotonic()
    files = FetchSummary.read(fetched).details
    wanted = _wanted(files, fetched.parent / files.validated)
    audio = spec_hash(
        {
            "version": STEP_VERSIONS["resample"],
            "options": options.model_dump(exclude={"clips_per_shard"}),
            "audio": files.audio.sha256,
            "clips": _digest(wanted),
        }
    )
    store = spec_hash({"audio": audio, "clips_per_shard": options.clips_per_shard})
    folder = output / store
    folder.mkdir(parents=True, exist_ok=True)
    done = complete_shards(folder)
    left = wanted.keys() - {clip for shard in done for clip in shard}
    reasons: dict[str, str] = {}

    def usable() -> Iterator[DecodedClip]:
        tasks = (
            (clip, data, options.min_seconds, wanted[clip]) for clip, data in read_clips(files.audio, left)
        )
        decoded = map_in_order(decode_clip, tasks, workers)
        for clip in progress(decoded, f"resample {files.source}", total=len(left), unit="clip"):
            left.remove(clip.clip)
            if clip.reason:
                reasons[clip.clip] = clip.reason
            else:
                yield clip

    nothing_yet = len(left) == len(wanted)
    clips = usable()
    shards = len(done)
    while write_shard(shard_path(folder, shards), clips, options.clips_per_shard):
        shards += 1
    if wanted and nothing_yet and len(left) == len(wanted):
        raise DataError(
            f"{files.audio.path} has no clip of the tables. "
            f"{one_of_each(_a_path(files), files.audio.example)}"
        )
    stored, seconds = write_index(folder, shards)
    reasons.update(dict.fromkeys(left, "missing"))
    summary = ResampleSummary(
        version=STEP_VERSIONS["resample"],
        rows_in=len(wanted),
        rows_out=stored,
        dropped=dict(sorted(Counter(reasons.values()).items())),
        seconds=time.monotonic() - began,
        details=ResampleDetails(
            store=store,
            audio=audio,
            seconds=seconds,
            quarantine=[Quarantined(clip=clip, reason=reason) for clip, reason in sorted(reasons.items())],
        ),
    )
    summary.write(output / "summary.json")
    for older in sorted(path for path in output.iterdir() if path.is_dir() and path != folder):
        print(
            f"resample: {older} holds the clips of another archive, other tables or options, and is not read any "
            "more. Delete it if you need the space.",
            file=sys.stderr,
        )
    return summary


def _wanted(files: FetchDetails, sentences: Path) -> dict[str, float]:
    """The clips to be had, each with the shortest time in seconds in which its sentence can be spoken."""
    wanted: dict[str, float] = {}
    for file in files.tables.values():
        table = read_fetched(file)
        for name, label in zip(table["path"], table["split"], strict=True):
            if label in files.splits:
                wanted[clip_id(name)] = 0.0
    validated = read_tsv_file(sentences, ("path", "sentence"))
    spaced = language(files.source).spaced
    for name, sentence in zip(validated["path"], validated["sentence"], strict=True):
        clip = clip_id(name)
        if clip in wanted:
            wanted[clip] = text_seconds(sentence, spaced)
    return wanted


def _a_path(files: FetchDetails) -> str:
    """The first path of a table that counts."""
    tables = (read_fetched(file) for file in files.tables.values())
    rows = (
        (path, label) for table in tables for path, label in zip(table["path"], table["split"], strict=True)
    )
    return next(path for path, label in rows if label in files.splits)


def _digest(wanted: dict[str, float]) -> str:
    """Of the clips and of their sentences' shortest times, by which truncated clips are told."""
    lines = "".join(f"{clip}\t{seconds!r}\n" for clip, seconds in sorted(wanted.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
