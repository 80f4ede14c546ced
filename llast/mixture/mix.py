"""Choose the rows that an experiment trains on: translation, recognition and both-in-one rows of its directions."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llast.artifacts.corpus import FilteredSplit, FilterSummary, Leakage, MixDetails, MixedRows, MixSummary
from llast.config.experiment import MixtureOptions
from llast.config.steps import STEP_VERSIONS
from llast.errors import ConfigError, DataError
from llast.languages import CorpusSplit, source_languages, split_pair
from llast.mixture.dev import dev_rows
from llast.mixture.rows import ROWS, write_rows
from llast.mixture.sampling import draw_speeds, repeat_rows, repetitions, uniform
from llast.normalisation import normalised


@dataclass(frozen=True)
class _Candidates:
    """Rows of one task and direction before any is left out; `leaks` marks those in a dev or test set."""

    source: str
    task: str
    target: str
    clips: list[str]
    texts: list[str]
    seconds: list[float]
    leaks: np.ndarray


def mix(filtered: list[Path], output: Path, options: MixtureOptions, seed: int) -> MixSummary:
    """Write the training rows of an experiment, `rows.arrow`, its rows of the dev sets, `dev.arrow`, and the summary.

    Task `st` has a row per train row of each pair; task `asr` one per train clip of each source language,
    with the sentence as text and the source as target language (an English clip once, not once per target,
    as in LLaST's ASR-augmented training, arXiv 2407.15415); task `cot` one like `st` whose text is the sentence and,
    on a line of its own, the translation. Rows are sorted by source, clip, copy, task, target, so that the rows of a
    clip stand together. A task's share of rows is drawn by a hash of seed, clip, task and target: a larger share
    contains the rows of a smaller one.

    A row leaks if its text, or for `st` and `cot` the sentence it translates, is a dev or test text of that language in
    any of the given pairs, but for case, spaces and the Unicode form of letters (NFKC).

    Args:
        filtered: summaries of the step filter, one per source language of the corpus.
        output: folder to write into.
        options: pairs, tasks and leakage mode.
        seed: of the experiment.

    Raises:
        ConfigError: a pair is not in the corpus.
        DataError: a pair has no train row, or no row is left.
    """
    began = time.monotonic()
    folders: dict[str, Path] = {}
    filtering: dict[str, dict[CorpusSplit, FilteredSplit]] = {}
    for path in filtered:
        own = FilterSummary.read(path).details.pairs
        filtering |= own
        folders |= dict.fromkeys(own, path.parent)
    _check(options, folders)
    for pair in options.pairs:
        if not pq.read_metadata(folders[pair] / f"{pair}.train.parquet").num_rows:
            raise _without_rows(pair, filtering[pair]["train"])
    held_out = _held_out_texts(folders)
    parts: list[pa.Table] = []
    dropped: Counter[str] = Counter()
    leaking: dict[str, int] = {}
    rows_in = 0
    for candidates in _candidates(folders, options, held_out):
        rows_in += len(candidates.clips)
        leaking[f"{candidates.task} {candidates.source}_{candidates.target}"] = int(candidates.leaks.sum())
        left = np.ones(len(candidates.clips), dtype=bool)
        for reason, keep in (
            ("en_x_step", _stepped(candidates, options.en_x_step)),
            ("leakage", ~candidates.leaks if options.leakage == "drop" else left),
            ("share", _drawn(candidates, options.tasks[candidates.task], seed)),  # type: ignore[index]
        ):
            dropped[reason] += int((left & ~keep).sum())
            left = left & keep
        parts.append(_table(candidates).filter(pa.array(left)))
    parts, repeated = _sampled(parts, options.temperature, dropped, seed)
    rows_in += repeated
    if options.speeds != [1.0]:
        parts = [draw_speeds(part, options.speeds, seed) for part in parts]
    rows = pa.concat_tables([ROWS.empty_table(), *parts])
    if not len(rows):
        raise DataError(
            f"no training row is left of {rows_in:,} ({dict(dropped)}). Look at the summary.json of the step "
            "filter for what was dropped before, and widen mixture.pairs or mixture.tasks."
        )
    rows = rows.sort_by([(name, "ascending") for name in ("source", "clip", "copy", "task", "target")])
    write_rows(output / "summary.json", rows)
    dev = dev_rows(folders, options, seed)
    write_rows(output / "summary.json", dev, "dev")
    summary = MixSummary(
        version=STEP_VERSIONS["mix"],
        rows_in=rows_in,
        rows_out=len(rows),
        dropped={reason: count for reason, count in dropped.items() if count},
        seconds=time.monotonic() - began,
        details=MixDetails(
            **_amounts(parts),
            repeated=repeated,
            clips=len(rows.select(["source", "clip"]).group_by(["source", "clip"]).aggregate([])),
            dev_rows=len(dev),
            leakage=Leakage(
                mode=options.leakage,
                rows=sum(leaking.values()),
                directions={direction: count for direction, count in leaking.items() if count},
            ),
        ),
    )
    summary.write(output / "summary.json")
    return summary


def _check(options: MixtureOptions, folders: dict[str, Path]) -> None:
    unknown = [pair for pair in options.pairs if pair not in folders]
    if unknown:
        raise ConfigError(
            f"mixture.pairs: {' '.join(unknown)} not in this corpus, which has {' '.join(folders)}. "
            "Take the pair out of the experiment, or add it to the corpus's file."
        )


def _without_rows(pair: str, train: FilteredSplit) -> DataError:
    """The error of a pair that is to be trained on and has no train row."""
    if train.rows_in:
        lost = f"all {train.rows_in:,} were dropped ({train.dropped}). Widen filter in the corpus's file"
    else:
        lost = (
            "none of its table. The summary.json of the step join counts the labels that are of no split: say in the "
            "corpus's file which of them is train, such as splits: {training: train}"
        )
    return DataError(
        f"mixture.pairs: {pair} has no train rows: {lost}, or take the pair out of the experiment."
    )


def _candidates(
    folders: dict[str, Path], options: MixtureOptions, held_out: dict[str, set[str]]
) -> Iterator[_Candidates]:
    wanted = {task for task, share in options.tasks.items() if share > 0}
    clips_of: dict[str, dict[str, tuple[str, float, bool]]] = {
        code: {} for code in source_languages(options.pairs)
    }
    for pair in dict.fromkeys(options.pairs):
        source, target = split_pair(pair)
        table = pq.read_table(
            folders[pair] / f"{pair}.train.parquet", columns=["clip", "sentence", "translation", "seconds"]
        )
        clips, sentences, translations, seconds = (column.to_pylist() for column in table.columns)
        source_leaks = _leaks(sentences, source, held_out)
        if "asr" in wanted:
            for clip, *row in zip(clips, sentences, seconds, source_leaks.tolist(), strict=True):
                clips_of[source].setdefault(clip, (row[0], row[1], row[2]))
        if not wanted & {"st", "cot"}:
            continue
        leaks = source_leaks | _leaks(translations, target, held_out)
        if "st" in wanted:
            yield _Candidates(source, "st", target, clips, translations, seconds, leaks)
        if "cot" in wanted:
            texts = ["\n".join(both) for both in zip(sentences, translations, strict=True)]
            yield _Candidates(source, "cot", target, clips, texts, seconds, leaks)
    for source, rows in clips_of.items():
        if rows:
            texts, lengths, leaking = (list(column) for column in zip(*rows.values(), strict=True))
            yield _Candidates(source, "asr", source, list(rows), texts, lengths, np.array(leaking))


def _held_out_texts(folders: dict[str, Path]) -> dict[str, set[str]]:
    """Normalised dev and test texts of every language, over all pairs and both sides."""
    texts: dict[str, set[str]] = {}
    for pair, folder in folders.items():
        for split in ("dev", "test"):
            table = pq.read_table(folder / f"{pair}.{split}.parquet", columns=["sentence", "translation"])
            for code, column in zip(split_pair(pair), table.columns, strict=True):
                normal = (normalised(text, code) for text in column.to_pylist())
                texts.setdefault(code, set()).update(normal)
    return {code: known - {""} for code, known in texts.items()}


def _leaks(texts: list[str], code: str, held_out: dict[str, set[str]]) -> np.ndarray:
    known = held_out[code]
    return np.fromiter((normalised(text, code) in known for text in texts), dtype=bool, count=len(texts))


def _stepped(candidates: _Candidates, step: int) -> np.ndarray:
    """Every n-th row of a direction out of English; recognition rows are not thinned."""
    rows = np.arange(len(candidates.clips))
    return rows % (step if candidates.source == "en" and candidates.target != "en" else 1) == 0


def _drawn(candidates: _Candidates, share: float, seed: int) -> np.ndarray:
    """Which rows a task's share draws."""
    if share == 1:
        return np.ones(len(candidates.clips), dtype=bool)
    names = (candidates.source, candidates.task, candidates.target)
    count = len(candidates.clips)
    return np.fromiter(
        (uniform(seed, clip, *names) < share for clip in candidates.clips), dtype=bool, count=count
    )


def _sampled(
    parts: list[pa.Table], temperature: float, dropped: Counter[str], seed: int
) -> tuple[list[pa.Table], int]:
    """The rows of each part as often as the temperature asks for, and how many rows came a second time or more."""
    if temperature == 1:
        return parts, 0
    counts: Counter[str] = Counter()
    for part in parts:
        if len(part):
            counts[part["source"][0].as_py()] += len(part)
    times = repetitions(counts, temperature)
    sampled = [repeat_rows(part, times[part["source"][0].as_py()], seed) for part in parts if len(part)]
    repeated = sum(int(np.count_nonzero(part["copy"].to_numpy())) for part in sampled)
    dropped["temperature"] += counts.total() - (sum(map(len, sampled)) - repeated)
    return sampled, repeated


def _table(candidates: _Candidates) -> pa.Table:
    count = len(candidates.clips)
    constant = [pa.repeat(value, count) for value in (candidates.source, candidates.task, candidates.target)]
    columns = [
        pa.array(candidates.clips, pa.string()),
        *constant,
        pa.array(candidates.texts, pa.large_string()),
    ]
    once = [pa.repeat(pa.scalar(0, pa.int32()), count), pa.repeat(1.0, count)]
    return pa.table([*columns, pa.array(candidates.seconds, pa.float64()), *once], schema=ROWS)


def _amounts(parts: list[pa.Table]) -> dict[str, dict[str, MixedRows]]:
    """Rows and seconds by task, and by direction."""
    tasks: dict[str, MixedRows] = {}
    pairs: dict[str, MixedRows] = {}
    asr: dict[str, MixedRows] = {}
    for part in parts:
        if not len(part):
            continue
        source, task, target = (part[name][0].as_py() for name in ("source", "task", "target"))
        seconds = float(np.sum(part["seconds"].to_numpy()))
        directions, direction = (asr, source) if task == "asr" else (pairs, f"{source}_{target}")
        for amounts, key in ((tasks, task), (directions, direction)):
            before = amounts.get(key, MixedRows(rows=0, seconds=0.0))
            amounts[key] = MixedRows(rows=before.rows + len(part), seconds=before.seconds + seconds)
    return {"tasks": tasks, "pairs": pairs, "asr": asr}
