"""The step `decode`: hypotheses of a checkpoint for the clips of one source language.

{output folder}/summary.json                the declared output, written last
               /{pair}.{split}.jsonl        a record per row: task `st`, clip, sentence, reference, hypothesis, seconds
               /{source}.asr.{split}.jsonl  the same for transcripts: task `asr`
               /{spec hash}/part-00000.jsonl   what is done so far; an interrupted call goes on from there
"""

import json
import shutil
import sys
import time
from pathlib import Path

import torch
from pydantic import TypeAdapter

from llast.artifacts import sha256_of, spec_hash, write_text
from llast.artifacts.corpus import ResampleSummary
from llast.artifacts.hypotheses import Hypothesis, write_hypotheses
from llast.artifacts.run import Run
from llast.artifacts.summaries import DecodeDetails, DecodeSummary, Hypotheses, Split
from llast.config.layout import model_files
from llast.config.steps import STEP_VERSIONS, DecodeOptions
from llast.corpus.store import AudioStore
from llast.evaluation.selection import EvaluationRow, select_rows
from llast.evaluation.systems import load_system
from llast.evaluation.systems.base import System
from llast.model.decoding import Clip
from llast.model.features import WINDOW_FRAMES
from llast.progress import batch_progress
from llast.training.averaging import evaluated_adapter

PART_EVERY_S = 10.0
"""What an interruption may cost; a file per batch would be many on a full test set."""

Key = tuple[str, str, str]

PART_LINE = TypeAdapter(tuple[str, str, str, str])
"""Clip, task, target language, hypothesis."""


def decode(
    run: Path,
    checkpoint: int,
    source: str,
    pairs: list[str],
    filtered: Path,
    resampled: Path,
    bases: dict[str, Path],
    output: Path,
    options: DecodeOptions,
    threads: int = 1,
) -> DecodeSummary:
    """Translate the dev and test rows of the pairs out of `source` with one checkpoint, and transcribe some.

    Args:
        run: `run.json` of the step `train` or `describe`.
        checkpoint: number of the checkpoint, from 1.
        source: code of the spoken language.
        pairs: pairs out of it.
        filtered: summary of the step `filter` for `source`.
        resampled: summary of the step `resample` for `source`.
        bases: folders of the models that the experiment is made of, by name.
        output: folder to write to.
        options: decoding, and how many rows of each split.
        threads: CPU threads.

    Raises:
        DataError: the run has no such checkpoint, or there is not memory enough for one clip.
    """
    started = time.monotonic()
    evaluated = Run.read(run)
    step = evaluated.checkpoint(checkpoint, run).step
    adapter = evaluated_adapter(run, checkpoint, options.decoding.average_last, output / "averaged")
    selections = select_rows(filtered, source, pairs, options)
    folder = output / parts_key(evaluated, adapter, resampled, bases, options)
    folder.mkdir(parents=True, exist_ok=True)

    done = _done(folder)
    left = [row for selection in selections for row in selection.rows if row.key not in done]
    if left:
        torch.set_num_threads(threads)
        system = load_system(evaluated, adapter, bases, options.decoding)
        _decode_rows(system, left, AudioStore.open(resampled), folder, f"decode {source}")
        done = _done(folder)

    translations: dict[str, dict[Split, Hypotheses]] = {}
    transcripts: dict[Split, Hypotheses] = {}
    for selection in selections:
        write_hypotheses(output / selection.file, (_hypothesis(row, done[row.key]) for row in selection.rows))
        splits = transcripts if selection.task == "asr" else translations.setdefault(selection.name, {})
        splits[selection.split] = Hypotheses(
            file=selection.file, rows=len(selection.rows), expected=selection.available
        )
    translated = [selection for selection in selections if selection.task == "st"]
    available = sum(selection.available for selection in translated)
    selected = sum(selection.selected for selection in translated)
    rows = sum(len(selection.rows) for selection in translated)
    dropped = {"not selected": available - selected, "no audio": selected - rows}
    summary = DecodeSummary(
        version=STEP_VERSIONS["decode"],
        rows_in=available,
        rows_out=rows,
        dropped={reason: count for reason, count in dropped.items() if count},
        seconds=round(time.monotonic() - started, 2),
        details=DecodeDetails(
            experiment=evaluated.experiment,
            seed=evaluated.seed,
            checkpoint=checkpoint,
            step=step,
            average_last=options.decoding.average_last if adapter else 1,
            pairs=translations,
            transcripts=transcripts,
        ),
    )
    summary.write(output / "summary.json")
    for path in output.iterdir():
        if path.is_dir():  # parts, and those of interrupted calls with other options
            shutil.rmtree(path)
    return summary


def _decode_rows(
    system: System, rows: list[EvaluationRow], store: AudioStore, folder: Path, what: str
) -> None:
    """Decode rows and keep what is done in parts of `folder`."""
    of_clip: dict[str, list[EvaluationRow]] = {}
    for row in rows:
        of_clip.setdefault(row.clip, []).append(row)
    groups = list(of_clip.values())
    clips = [
        Clip(
            group[0].seconds,
            lambda clip=group[0].clip: store.samples(clip),  # type: ignore[misc]
            tuple(dict.fromkeys(row.request for row in group)),
        )
        for group in groups
    ]
    cut = sum(clip.seconds > WINDOW_FRAMES / 100 for clip in clips)
    if cut:
        print(f"{what}: clips longer than 30 s: {cut}; what comes after that is not heard.", file=sys.stderr)
    number = 1 + max((int(part.stem.partition("-")[2]) for part in folder.glob("part-*.jsonl")), default=-1)
    lines: list[str] = []
    written = float("-inf")
    for batch in batch_progress(system(clips), lambda batch: len(batch.clips), what, len(clips), "clip"):
        for index, texts in zip(batch.clips, batch.texts, strict=True):
            for request, text in zip(clips[index].requests, texts, strict=True):
                key = [groups[index][0].clip, request.task, request.target]
                lines.append(json.dumps([*key, text], ensure_ascii=False) + "\n")
        if time.monotonic() - written >= PART_EVERY_S:
            write_text(folder / f"part-{number:05d}.jsonl", "".join(lines))
            number, lines, written = number + 1, [], time.monotonic()
    if lines:
        write_text(folder / f"part-{number:05d}.jsonl", "".join(lines))


def _hypothesis(row: EvaluationRow, text: str) -> Hypothesis:
    return Hypothesis(
        task=row.request.task,
        clip=row.clip,
        sentence=row.sentence,
        reference=row.reference,
        hypothesis=text,
        seconds=round(row.seconds, 3),
    )


def parts_key(
    run: Run, adapter: Path | None, resampled: Path, bases: dict[str, Path], options: DecodeOptions
) -> str:
    """Names the folder of parts: anything that changes the hypothesis of a clip changes the name.

    Of bases this is when their files were last changed: to read them takes longer than to decode what a call left.
    """
    spec = {
        "version": STEP_VERSIONS["decode"],
        "run": run.identity,
        "weights": [sha256_of(file) for file in sorted(adapter.glob("*.safetensors"))] if adapter else [],
        "audio": ResampleSummary.read(resampled).details.audio,
        "bases": {
            name: [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in model_files(folder)]
            for name, folder in bases.items()
        },
        "decoding": options.decoding.model_dump(exclude={"batch_tokens"}),
    }
    return spec_hash(spec)


def _done(folder: Path) -> dict[Key, str]:
    """Hypotheses of the complete parts; a part that is broken is deleted, and its rows are decoded again."""
    done: dict[Key, str] = {}
    for part in folder.glob("part-*.jsonl"):
        try:
            lines = part.read_text(encoding="utf-8").split("\n")[:-1]
            rows = [PART_LINE.validate_json(line, strict=True) for line in lines]
        except ValueError as error:  # no UTF-8, or no such line
            print(f"decode: {part} is broken, its rows are decoded again: {error}"[:300], file=sys.stderr)
            part.unlink()
        else:
            done |= {(clip, task, target): text for clip, task, target, text in rows}
    return done
