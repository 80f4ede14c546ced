"""Turn the clips that CoVoST-2 refers to into 16 kHz mono FLAC with random access."""

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

from llast.artifacts import Summary, spec_hash
from llast.config.corpus import ResampleOptions
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import clip_id, read_clips
from llast.corpus.decode import Decoded, decode_clip, text_seconds
from llast.corpus.fetched import Fetched
from llast.corpus.join import SPLIT_OF_LABEL, read_covost
from llast.corpus.store import complete_shards, shard_path, write_index, write_shard
from llast.corpus.tsv import read_tsv_file
from llast.errors import DataError
from llast.languages import language
from llast.progress import progress

CLIPS_PER_TASK = 16
"""Clips that a worker gets at once: keeps the cost of passing them small beside 6 ms of decoding each."""
TASKS_PER_WORKER = 4
"""Tasks under way per worker: bounds the memory, whatever the archive's size."""


def resample(fetched: Path, output: Path, options: ResampleOptions, workers: int = 1) -> Summary:
    """Write the clips of a source language as a store (see `llast.corpus.store`), and the summary.

    The archive is read once, without unpacking it. Shards come in the order of the archive and do not depend
    on the number of workers. They lie in a folder named by a hash of everything that they depend on, so that
    an interrupted run goes on after its last complete shard and a changed one starts afresh.

    Rows: clips that a table row with a used label refers to. Dropped: `missing` in the archive, `empty`,
    `undecodable`, `truncated`, `too_short`. Details: `store` (the folder's name), `seconds` of audio,
    `quarantine` (`[{"clip", "reason"}, ...]`).

    Args:
        fetched: summary of the step fetch.
        output: folder to write into.
        options: bounds and shard size.
        workers: processes that decode; with 1, decoding happens in this one.

    Raises:
        DataError: the archive or a table is missing or broken, or a worker died.
    """
    began = time.monotonic()
    files = Fetched.read(fetched)
    wanted = _wanted(files)
    store = spec_hash(
        {
            "version": STEP_VERSIONS["resample"],
            "options": options.model_dump(),
            "audio": files.audio_sha256,
            "clips": hashlib.sha256("\n".join(sorted(wanted)).encode()).hexdigest(),
        }
    )
    folder = output / store
    folder.mkdir(parents=True, exist_ok=True)
    done = complete_shards(folder)
    left = wanted.keys() - {clip for shard in done for clip in shard}
    reasons: dict[str, str] = {}

    def usable() -> Iterator[Decoded]:
        tasks = (
            (clip, data, options.min_seconds, wanted[clip])
            for clip, data in read_clips(files.audio, files.root, left)
        )
        for clip in progress(
            _decode(tasks, workers), f"resample {files.source}", total=len(left), unit="clip"
        ):
            left.remove(clip.clip)
            if clip.reason:
                reasons[clip.clip] = clip.reason
            else:
                yield clip

    clips = usable()
    shards = len(done)
    while write_shard(shard_path(folder, shards), clips, options.clips_per_shard):
        shards += 1
    stored, seconds = write_index(folder, shards)
    reasons.update(dict.fromkeys(left, "missing"))
    summary = Summary(
        step="resample",
        version=STEP_VERSIONS["resample"],
        rows_in=len(wanted),
        rows_out=stored,
        dropped={reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))},
        seconds=time.monotonic() - began,
        details={
            "store": store,
            "seconds": seconds,
            "quarantine": [{"clip": clip, "reason": reason} for clip, reason in sorted(reasons.items())],
        },
    )
    summary.write(output / "summary.json")
    return summary


def _wanted(files: Fetched) -> dict[str, float]:
    """The clips to be had, each with the shortest time in seconds in which its sentence can be spoken."""
    wanted: dict[str, float] = {}
    for path in files.tables.values():
        table = read_covost(path)
        for name, label in zip(table["path"], table["split"], strict=True):
            if label in SPLIT_OF_LABEL:
                wanted[clip_id(name)] = 0.0
    validated = read_tsv_file(files.validated, ("path", "sentence"))
    spaced = language(files.source).spaced
    for name, sentence in zip(validated["path"], validated["sentence"], strict=True):
        clip = clip_id(name)
        if clip in wanted:
            wanted[clip] = text_seconds(sentence, spaced)
    return wanted


Task = tuple[str, bytes, float, float]


def _decode(tasks: Iterable[Task], workers: int) -> Iterator[Decoded]:
    """Decode clips in their order, with a bounded number of them under way."""
    if workers <= 1:
        for task in tasks:
            yield decode_clip(*task)
        return
    tasks = iter(tasks)
    pending: deque[Future[list[Decoded]]] = deque()
    # A pool of futures, since a multiprocessing.Pool waits for ever for a worker that was killed.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    try:
        while batch := list(islice(tasks, CLIPS_PER_TASK)):
            pending.append(pool.submit(_decode_batch, batch))
            if len(pending) >= TASKS_PER_WORKER * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            "a decoding process died, perhaps for want of memory. Run the step again, with fewer workers if "
            "it dies again: it goes on after the last complete shard."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _decode_batch(batch: list[Task]) -> list[Decoded]:
    return [decode_clip(*task) for task in batch]


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when it ends, even by SIGKILL."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
