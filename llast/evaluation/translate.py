"""The step `translate`: hypotheses of a checkpoint for all pairs out of one source language.

{output folder}/summary.json                the declared output, written last
               /{pair}.{split}.jsonl        a record per row: clip, sentence, reference, hypothesis, seconds
               /{spec hash}/part-00000.jsonl   what is done so far; an interrupted call goes on from there
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
import transformers

from llast.artifacts import Summary, read_json, sha256_of, spec_hash, write_text
from llast.config.steps import STEP_VERSIONS, TrainSpec, TranslateOptions
from llast.corpus.store import AudioStore
from llast.errors import DataError
from llast.languages import split_pair
from llast.model.adaptor import stacked
from llast.model.features import SAMPLE_RATE, encoder_positions
from llast.model.lora import load_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor, pad_audio
from llast.progress import progress


@dataclass(frozen=True)
class Row:
    """A row to translate. `clip` is the clip id, `seconds` its length."""

    pair: str
    split: str
    number: int
    clip: str
    sentence: str
    reference: str
    seconds: float


def translate(
    run: Path,
    checkpoint: int,
    source: str,
    pairs: list[str],
    filtered: Path,
    resampled: Path,
    encoder: Path,
    llm: Path,
    output: Path,
    options: TranslateOptions,
    threads: int,
) -> Summary:
    """Translate the dev and test rows of the pairs out of `source` with one checkpoint.

    Args:
        run: `run.json` of the step `train`.
        checkpoint: number of the checkpoint, from 1.
        source: code of the spoken language.
        pairs: pairs out of it.
        filtered: summary of the step `filter` for `source`.
        resampled: summary of the step `resample` for `source`.
        encoder: folder of the Whisper checkpoint.
        llm: folder of the causal LM.
        output: folder to write to.
        options: decoding, and how many rows of each split.
        threads: CPU threads.

    Raises:
        DataError: the run has no such checkpoint.
    """
    started = time.monotonic()
    trained = read_json(run)
    chosen = next((c for c in trained["checkpoints"] if c["checkpoint"] == checkpoint), None)
    if chosen is None:
        raise DataError(f"{run} has no checkpoint {checkpoint}, only 1 to {len(trained['checkpoints'])}.")
    rows, selected, available = _rows(filtered, pairs, options)
    adapter = run.parent / chosen["folder"] / "adapter"
    parts = output / _key(trained, adapter, options, rows)
    parts.mkdir(parents=True, exist_ok=True)

    done = _done(parts)
    left = [row for row in rows if (row.pair, row.split, row.number) not in done]
    if left:
        torch.set_num_threads(threads)
        transformers.utils.logging.disable_progress_bar()
        spec = TrainSpec.model_validate(trained["options"])
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = LlastForConditionalGeneration.from_bases(
            encoder,
            llm,
            window=spec.encoder.window,
            stack=spec.adaptor.stack,
            template=spec.llm.template,
            dtype=DTYPES[spec.training.precision],
            load_in_4bit=spec.llm.load_in_4bit,
        )
        model = load_adapters(model, adapter).eval()
        model.to(device)
        processor = LlastProcessor.from_llm(llm, spec.llm.template)
        store = AudioStore.open(resampled)
        first = len(list(parts.glob("part-*.jsonl")))
        batches = list(_batches(left, spec.adaptor.stack, options))
        for number, batch in enumerate(progress(batches, f"translate {source}", unit="batch"), start=first):
            texts = _generate(model, processor, store, batch, options, device)
            lines = [
                json.dumps([row.pair, row.split, row.number, text], ensure_ascii=False)
                for row, text in zip(batch, texts, strict=True)
            ]
            write_text(parts / f"part-{number:05d}.jsonl", "\n".join(lines) + "\n")
        done = _done(parts)

    identity = {"experiment": trained["experiment"], "seed": trained["seed"], "checkpoint": checkpoint}
    details: dict[str, Any] = {**identity, "step": chosen["step"], "pairs": {}}
    for pair in pairs:
        details["pairs"][pair] = {}
        for split in options.splits:
            own = [row for row in rows if (row.pair, row.split) == (pair, split)]
            records = [
                {
                    "clip": row.clip,
                    "sentence": row.sentence,
                    "reference": row.reference,
                    "hypothesis": done[(pair, split, row.number)],
                    "seconds": round(row.seconds, 3),
                }
                for row in own
            ]
            name = f"{pair}.{split}.jsonl"
            write_text(output / name, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
            expected = selected[(pair, split)]
            details["pairs"][pair][split] = {"rows": len(own), "expected": expected, "file": name}
    missing = sum(selected.values()) - len(rows)
    dropped = {"not selected": available - sum(selected.values()), "no audio": missing}
    summary = Summary(
        step="translate",
        version=STEP_VERSIONS["translate"],
        rows_in=available,
        rows_out=len(rows),
        dropped={reason: count for reason, count in dropped.items() if count},
        seconds=round(time.monotonic() - started, 2),
        details=details,
    )
    summary.write(output / "summary.json")
    shutil.rmtree(parts)
    return summary


def _rows(
    filtered: Path, pairs: list[str], options: TranslateOptions
) -> tuple[list[Row], dict[tuple[str, str], int], int]:
    """Rows with audio to translate; rows selected per pair and split, audio or not; rows there are."""
    limits = {"dev": options.dev_rows, "test": options.test_rows}
    rows: list[Row] = []
    selected: dict[tuple[str, str], int] = {}
    available = 0
    for pair in pairs:
        for split in options.splits:
            table = pq.read_table(filtered.parent / f"{pair}.{split}.parquet").to_pylist()
            available += len(table)
            limit = limits[split]
            if limit is not None and limit < len(table):
                drawn = sorted(table, key=lambda row: hashlib.sha256(row["clip"].encode()).digest())[:limit]
                names = {row["clip"] for row in drawn}
                table = [row for row in table if row["clip"] in names]
            selected[(pair, split)] = len(table)
            rows += [
                Row(pair, split, number, row["clip"], row["sentence"], row["translation"], row["seconds"])
                for number, row in enumerate(table)
                if row["seconds"] is not None
            ]
    return rows, selected, available


def _key(trained: dict[str, Any], adapter: Path, options: TranslateOptions, rows: list[Row]) -> str:
    """Names the folder of parts: anything that changes a hypothesis changes the name."""
    work = hashlib.sha256(
        "\n".join(f"{row.pair} {row.split} {row.number} {row.clip}" for row in rows).encode()
    )
    spec = {
        "version": STEP_VERSIONS["translate"],
        "run": trained["spec_hash"],
        "weights": [sha256_of(file) for file in sorted(adapter.glob("*.safetensors"))],
        "rows": work.hexdigest(),
        "options": options.model_dump(),
    }
    return spec_hash(spec)


def _done(parts: Path) -> dict[tuple[str, str, int], str]:
    """Hypotheses of the complete parts."""
    done = {}
    for part in sorted(parts.glob("part-*.jsonl")):
        for line in part.read_text(encoding="utf-8").split("\n")[:-1]:
            pair, split, number, text = json.loads(line)
            done[(pair, split, number)] = text
    return done


def _batches(rows: list[Row], stack: int, options: TranslateOptions) -> Iterator[list[Row]]:
    """Batches of rows from long to short; rows of a clip stand together, so that it is encoded once a batch."""
    beams = options.decoding.num_beams
    batch: list[Row] = []
    cost = 0
    for row in sorted(rows, key=lambda row: (-row.seconds, row.clip, row.pair)):
        # Positions of the audio and about as many of text; the first row of a batch is its longest.
        if not batch:
            cost = 64 + stacked(encoder_positions(round(row.seconds * SAMPLE_RATE)), stack)
        if batch and (len(batch) + 1) * cost * beams > options.decoding.batch_tokens:
            yield batch
            batch = []
            cost = 64 + stacked(encoder_positions(round(row.seconds * SAMPLE_RATE)), stack)
        batch.append(row)
    if batch:
        yield batch


def _generate(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    store: AudioStore,
    batch: list[Row],
    options: TranslateOptions,
    device: torch.device,
) -> list[str]:
    clips = list(dict.fromkeys(row.clip for row in batch))
    samples, positions = pad_audio([store.samples(clip) for clip in clips])
    prompts = [processor.prompt_ids("st", *split_pair(row.pair)) for row in batch]
    ids = model.generate(
        samples.to(device),
        positions.to(device),
        torch.tensor([clips.index(row.clip) for row in batch]),
        [torch.tensor(before, device=device) for before, _ in prompts],
        [torch.tensor(after, device=device) for _, after in prompts],
        num_beams=options.decoding.num_beams,
        max_new_tokens=options.decoding.max_new_tokens,
        eos_token_id=processor.eos,
        pad_token_id=processor.eos,
    )
    return processor.decode(ids)
