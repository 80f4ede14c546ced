"""From a mixture's rows to the tensors of a training step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soxr
import torch

from llast.corpus.store import AudioStore
from llast.errors import DataError
from llast.model.adaptor import stacked
from llast.model.features import SAMPLE_RATE, encoder_positions
from llast.model.modeling import IGNORE
from llast.model.processing import LlastProcessor, pad_audio
from llast.training.updates import Item


class TrainingRows:
    """A mixture's rows, tokenised, with their audio.

    Args:
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        processor: the model's prompts and tokenizer.
        stack: encoder positions per LLM position.
    """

    def __init__(self, mix: Path, audio: Sequence[Path], processor: LlastProcessor, stack: int) -> None:
        table = pq.read_table(mix.parent / "rows.parquet")
        if table.num_rows == 0:
            raise DataError(f"{mix}: the mixture has no rows. Look at what was dropped and why in that file.")
        self._stores = {summary.parent.name: AudioStore.open(summary) for summary in audio}
        self._stack = stack
        names = ("clip", "source", "task", "target", "text", "copy", "speed")
        columns = {name: table.column(name).to_pylist() for name in names}
        keys = list(zip(*(columns[name] for name in ("source", "clip", "copy", "speed")), strict=True))
        self._clips = list(dict.fromkeys(keys))
        index = {key: number for number, key in enumerate(self._clips)}
        self.clip_of_row = np.array([index[key] for key in keys], dtype=np.int64)
        self._targets = processor.target_ids(columns["text"])
        kinds = list(zip(columns["task"], columns["source"], columns["target"], strict=True))
        prompts = {kind: processor.prompt_ids(*kind) for kind in set(kinds)}
        self._prompts = [prompts[kind] for kind in kinds]
        self._seconds = {
            index[key]: seconds
            for key, seconds in zip(keys, table.column("seconds").to_pylist(), strict=True)
        }

    def __len__(self) -> int:
        return len(self._targets)

    def name(self, item: Item) -> str:
        """Clip id of an item, for messages."""
        return self._clips[item.clip][1]

    def length(self, item: Item) -> int:
        """LLM positions of an item."""
        positions = encoder_positions(round(self._seconds[item.clip] * SAMPLE_RATE))
        before = len(self._prompts[item.rows[0]][0])
        branches = sum(len(self._prompts[row][1]) + len(self._targets[row]) for row in item.rows)
        return before + stacked(positions, self._stack) + branches

    def target_tokens(self, items: Sequence[Item]) -> int:
        """Tokens with a loss in these items."""
        return sum(len(self._targets[row]) for item in items for row in item.rows)

    def batch(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """The tensors of a micro-batch: arguments of the model's forward pass, on the host."""
        clips = [self._clips[item.clip] for item in items]
        samples, positions = pad_audio(
            [at_speed(self._stores[source].samples(clip), speed) for source, clip, _, speed in clips]
        )
        sequences = [
            self._sequence(item, stacked(int(count), self._stack))
            for item, count in zip(items, positions, strict=True)
        ]
        longest = max(len(sequence["input_ids"]) for sequence in sequences)
        padding: dict[str, Any] = {
            "input_ids": 0,
            "position_ids": 0,
            "branch": -1,
            "audio": False,
            "labels": IGNORE,
        }
        batch = {
            name: torch.tensor([s[name] + [filler] * (longest - len(s[name])) for s in sequences])
            for name, filler in padding.items()
        }
        return {"samples": samples, "positions": positions, **batch}

    def _sequence(self, item: Item, audio_length: int) -> dict[str, list[Any]]:
        """Text before the audio, audio, then a branch per row; see the model's forward pass."""
        before = self._prompts[item.rows[0]][0]
        shared = len(before) + audio_length
        ids = before + [0] * audio_length
        audio = [False] * len(before) + [True] * audio_length
        position, branch, labels = list(range(shared)), [0] * shared, [IGNORE] * shared
        for number, row in enumerate(item.rows, start=1):
            after, target = self._prompts[row][1], self._targets[row]
            own = after + target
            ids += own
            audio += [False] * len(own)
            position += range(shared, shared + len(own))
            branch += [number] * len(own)
            labels += [IGNORE] * (len(after) - 1) + target + [IGNORE]
        return {
            "input_ids": ids,
            "position_ids": position,
            "branch": branch,
            "audio": audio,
            "labels": labels,
        }


def at_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play a signal, (samples,), faster or slower, pitch and all: speed perturbation (Ko et al., Interspeech 2015)."""
    return samples if speed == 1 else soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
