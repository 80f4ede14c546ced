"""Between text and token ids: the token layout of a LLaST row."""

from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from llast.errors import DataError
from llast.model.features import encoder_positions
from llast.model.prompts import Task, prompt


class LlastProcessor:
    """Tokenizer and prompts of a LLaST model.

    Args:
        tokenizer: the LLM's tokenizer.
        template: chat template, a name of `llast.model.prompts.TEMPLATES`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.bos = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        if tokenizer.eos_token_id is None:
            raise DataError(f"the tokenizer of {tokenizer.name_or_path} has no end-of-sequence token.")
        self.eos = int(tokenizer.eos_token_id)

    @classmethod
    def from_pretrained(cls, llm: Path, template: str) -> "LlastProcessor":
        """The processor of an LLM's Hugging Face folder."""
        return cls(AutoTokenizer.from_pretrained(llm), template)

    def prompt_ids(self, task: Task, source: str, target: str) -> tuple[list[int], list[int]]:
        """Token ids before the audio, BOS included, and after it. The two pieces are tokenised apart."""
        pieces = prompt(task, source, target, self.template)
        return self.bos + self._ids([pieces.before])[0], self._ids([pieces.after])[0]

    def target_ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of targets, EOS included."""
        return [[*ids, self.eos] for ids in self._ids(texts)]

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Text of generated ids, (rows, tokens), up to EOS, without special tokens and outer white space."""
        kept = [row[: row.index(self.eos)] if self.eos in row else row for row in ids.tolist()]
        return [text.strip() for text in self.tokenizer.batch_decode(kept, skip_special_tokens=True)]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids


def pad_audio(clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips at 16 kHz as one zero-padded batch (clips, samples), and their encoder positions (clips,)."""
    samples = torch.zeros(len(clips), max(len(clip) for clip in clips))
    for index, clip in enumerate(clips):
        samples[index, : len(clip)] = torch.from_numpy(clip)
    return samples, torch.tensor([encoder_positions(len(clip)) for clip in clips])
