"""From a mixture's rows to the tensors of a training step."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soxr
import torch

from llast.corpus.store import AudioStore
from llast.errors import DataError
from llast.mixture.rows import Kind, open_rows
from llast.model.adaptor import stacked
from llast.model.features import SAMPLE_RATE, encoder_positions
from llast.model.layout import arrange, audio_layout
from llast.model.limits import positions_of
from llast.model.processing import LlastProcessor, pad_audio
from llast.training.sampler import Example

CACHED_ROWS = 1 << 16
"""Rows whose target's token ids are kept: those of a few hundred updates, or all of a small mixture."""


class TrainingRows:
    """A mixture's rows with their audio.

    Both stay on disk, memory-mapped: a mixture of millions opens in a second, and what a rank holds of its own is a few
    numbers per clip. Targets are tokenised when they are needed.

    Args:
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        processor: the model's prompts and tokenizer.
        stack: encoder positions per LLM position.
        kind: which rows of the mixture: `rows`, to train on, or `dev`.

    Attributes:
        clip_of_row: (rows,) number of each row's clip (a copy of it is another clip), from 0 and ascending.
    """

    def __init__(
        self, mix: Path, audio: Sequence[Path], processor: LlastProcessor, stack: int, kind: Kind = "rows"
    ) -> None:
        rows = open_rows(mix, kind)
        self._column = {name: rows.column(name) for name in rows.schema.names}
        self._stores = {summary.parent.name: AudioStore.open(summary) for summary in audio}
        self._processor = processor
        self._stack = stack
        begins = np.zeros(rows.num_rows, dtype=bool)
        for name in ("source", "clip", "copy"):  # rows are sorted by these
            column = rows.column(name)
            begins[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
        self.clip_of_row = np.cumsum(begins, dtype=np.int32)
        self._prompt = lru_cache(None)(processor.prompt_ids)
        self._target = lru_cache(CACHED_ROWS)(self._target_ids)

    def __len__(self) -> int:
        return len(self.clip_of_row)

    def name(self, example: Example) -> str:
        """Clip id of an example, for messages."""
        return str(self._value("clip", example.rows[0]))

    def length(self, example: Example) -> int:
        """LLM positions of an example."""
        positions = encoder_positions(round(self._value("seconds", example.rows[0]) * SAMPLE_RATE))
        prompts = [self._prompts(row) for row in example.rows]
        branches = sum(len(after) for _, after in prompts) + self.target_tokens([example])
        return len(prompts[0][0]) + stacked(positions, self._stack) + branches

    def check_positions(self, llm: Any) -> None:
        """Refuse rows that an LLM has too few positions for, before anything is trained.

        Raises:
            DataError: a row is too long.
        """
        limit, tokens = positions_of(llm), ("task", "source", "target")
        if limit is None or not len(self):
            return
        kinds = pa.table({name: self._column[name] for name in tokens}).group_by(list(tokens)).aggregate([])
        prompts = max(sum(map(len, self._prompt(*kind.values()))) for kind in kinds.to_pylist())
        seconds = self._column["seconds"].to_numpy()
        audio = [
            stacked(encoder_positions(round(value * SAMPLE_RATE)), self._stack)
            for value in np.unique(seconds)
        ]
        given = np.array(audio)[np.searchsorted(np.unique(seconds), seconds)] + prompts
        texts = self._column["text"]
        # A token is a byte at least, but for the end of the text and a word-start mark: the others need no look.
        large = np.flatnonzero(given + pc.binary_length(texts).to_numpy() + 2 > limit)
        for start in range(0, len(large), 4096):
            some = large[start : start + 4096]
            targets = self._processor.target_ids(texts.take(pa.array(some)).to_pylist())
            for row, target in zip(some.tolist(), targets, strict=True):
                if (needed := int(given[row]) + len(target)) > limit:
                    raise DataError(
                        f"the LLM {llm.config._name_or_path} has {limit} positions; clip {self._value('clip', row)} of "
                        f"{seconds[row]:.1f} s with prompt and target takes {needed}. Raise adaptor.stack, lower "
                        "filter.max_seconds, or choose another LLM."
                    )

    def target_tokens(self, examples: Sequence[Example]) -> int:
        """Tokens with a loss in these examples."""
        return sum(len(self._target(row)) for example in examples for row in example.rows)

    def batch(self, examples: Sequence[Example], together: bool = False) -> dict[str, torch.Tensor]:
        """The tensors of a micro-batch: arguments of the model's forward pass, on the host.

        Args:
            examples: at least one.
            together: whether examples may share a sequence, clips one of the encoder.
        """
        samples, positions = pad_audio([self._samples(example.rows[0]) for example in examples])
        counts = positions.tolist()
        texts = [
            self._sequence(example, stacked(count, self._stack))
            for example, count in zip(examples, counts, strict=True)
        ]
        arranged = arrange([len(text["input_ids"]) for text in texts], together)
        padding = {"input_ids": 0, "position_ids": 0, "clip": -1, "branch": 0}
        batch = {
            name: np.full((arranged.sequences, arranged.length), filler) for name, filler in padding.items()
        }
        places: dict[str, list[np.ndarray]] = {"speech_at": [], "labels_at": [], "labels": []}
        for number, (text, sequence, start) in enumerate(
            zip(texts, arranged.sequence, arranged.start, strict=True)
        ):
            inside = slice(start, start + len(text["input_ids"]))
            for name in ("input_ids", "position_ids", "branch"):
                batch[name][sequence, inside] = text[name]
            batch["clip"][sequence, inside] = number
            first = sequence * arranged.length + start
            places["speech_at"].append(first + text["speech_at"])
            places["labels_at"].append(first + text["labels_at"])
            places["labels"].append(text["labels"])
        batch |= {name: np.concatenate(parts) for name, parts in places.items()}
        return {
            "samples": samples,
            "positions": positions,
            **audio_layout(counts, self._stack, together),
            **{name: torch.from_numpy(values) for name, values in batch.items()},
        }

    def _value(self, column: str, row: int) -> Any:
        return self._column[column][row].as_py()

    def _prompts(self, row: int) -> tuple[list[int], list[int]]:
        """Token ids before and after the audio."""
        return self._prompt(*(self._value(name, row) for name in ("task", "source", "target")))

    def _target_ids(self, row: int) -> list[int]:
        return self._processor.target_ids([self._value("text", row)])[0]

    def _samples(self, row: int) -> np.ndarray:
        store = self._stores[self._value("source", row)]
        return at_speed(store.samples(self._value("clip", row)), self._value("speed", row))

    def _sequence(self, example: Example, audio_length: int) -> dict[str, np.ndarray]:
        """Text before the audio, audio, then a branch per row; see the model's forward pass."""
        before = self._prompts(example.rows[0])[0]
        shared = len(before) + audio_length
        ids = before + [0] * audio_length
        position, branch = list(range(shared)), [0] * shared
        labels: list[int] = []
        labels_at: list[int] = []
        for number, row in enumerate(example.rows, start=1):
            after, target = self._prompts(row)[1], self._target(row)
            first = len(ids) + len(after) - 1
            labels_at += range(first, first + len(target))
            labels += target
            ids += after + target
            position += range(shared, shared + len(after) + len(target))
            branch += [number] * (len(after) + len(target))
        return {
            "input_ids": np.array(ids),
            "position_ids": np.array(position),
            "branch": np.array(branch),
            "speech_at": np.arange(len(before), shared),
            "labels": np.array(labels),
            "labels_at": np.array(labels_at),
        }


def at_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play a signal, (samples,), faster or slower, pitch and all: speed perturbation (Ko et al., Interspeech 2015)."""
    return samples if speed == 1 else soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
