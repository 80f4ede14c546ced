"""Between audio and text on one side and the model's tensors on the other: the token layout of a LLaST row."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from llast.errors import ConfigError, DataError
from llast.model.bases import base_folder
from llast.model.configuration import LlastConfig
from llast.model.features import SAMPLE_RATE, encoder_positions
from llast.model.prompts import AUDIO, TEMPLATES, Task, around_audio, message, prompt
from llast.model.tokenizer import ends_of, load_tokenizer
from llast.model.weights import first_line

ANSWER = "It rains."
_FIXED_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"


class LlastProcessor(ProcessorMixin):
    """Tokenizer and prompts of a LLaST model. Features are computed by the model, on its device.

    Args:
        tokenizer: the LLM's tokenizer.
        template: a name of `llast.model.prompts.TEMPLATES`, or `chat` for the tokenizer's own chat template.
        ends: ids that end a text for the LLM, besides those that the tokenizer knows.

    Attributes:
        eos: id that ends a target in training.
        ends: all ids that end a text: that one, those of the LLM, and what closes an answer in the chat template.

    Raises:
        ConfigError: `chat`, and the tokenizer has no chat template, one that is broken or does not show the message
            once.
        DataError: the tokenizer has no end-of-sequence token.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: str = "llama2",
        chat_template: str | None = None,
        ends: Sequence[int] = (),
    ) -> None:
        super().__init__(tokenizer)
        self.template = template
        if tokenizer.eos_token_id is None:
            raise DataError(f"the tokenizer of {tokenizer.name_or_path} has no end-of-sequence token.")
        self.eos = int(tokenizer.eos_token_id)
        if template == "chat":
            self._check_chat_template()
            self.bos: list[int] = []  # a chat template writes it itself, where its model wants one
        else:
            self.bos = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        self.ends = sorted({self.eos, *ends, *(self._chat_end() if template == "chat" else [])})

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, name: str | Path, *, revision: str = "main", **kwargs: Any
    ) -> "LlastProcessor":
        """The processor of an exported folder or repository; of one that holds adapters only, that of its LLM."""
        config: Any = LlastConfig.from_pretrained(name, revision=revision)
        if config.bases is not None:
            return cls.from_llm(base_folder(config.bases["llm"]), config.template)
        found: LlastProcessor = super().from_pretrained(str(name), revision=revision, **kwargs)
        return found

    @classmethod
    def from_llm(cls, llm: Path, template: str) -> "LlastProcessor":
        """The processor for the Hugging Face folder of an LLM."""
        return cls(load_tokenizer(llm), template, ends=ends_of(llm))

    def __call__(
        self,
        audio: np.ndarray | torch.Tensor | Sequence[np.ndarray | torch.Tensor],
        source: str | Sequence[str],
        target: str | Sequence[str],
        task: Task = "st",
        sampling_rate: int = SAMPLE_RATE,
    ) -> BatchFeature:
        """What `generate` takes, a row per clip.

        Args:
            audio: a clip, (samples,) float in [-1, 1], or several. What lies beyond 30 s is not heard: cut it before.
            source: code of the spoken language, such as `fr`; one for all or one per clip.
            target: code of the language to write, likewise.
            task: `st`, or `asr`, where `target` equals `source`.
            sampling_rate: of the clips; the model knows 16 kHz only.

        Raises:
            ValueError: another sampling rate, or whole numbers.
            ConfigError: an unknown language.
        """
        if sampling_rate != SAMPLE_RATE:
            raise ValueError(f"audio has to be at {SAMPLE_RATE} Hz, not {sampling_rate}: resample it first")
        clips = [np.asarray(clip) for clip in ([audio] if getattr(audio, "ndim", 0) == 1 else audio)]
        if any(clip.ndim != 1 or clip.dtype.kind != "f" for clip in clips):
            raise ValueError(
                "a clip has to be one channel of floats in [-1, 1]; divide 16-bit samples by 32768"
            )
        sources = [source] * len(clips) if isinstance(source, str) else source
        targets = [target] * len(clips) if isinstance(target, str) else target
        samples, positions = pad_audio(clips)
        prompts = [self.prompt_ids(task, *pair) for pair in zip(sources, targets, strict=True)]
        return BatchFeature(
            {
                "samples": samples,
                "positions": positions,
                "clip": torch.arange(len(clips)),
                "before": [torch.tensor(before) for before, _ in prompts],
                "after": [torch.tensor(after) for _, after in prompts],
            }
        )

    def prompt_ids(self, task: Task, source: str, target: str) -> tuple[list[int], list[int]]:
        """Token ids before the audio, BOS included, and after it. The two pieces are tokenised apart."""
        if self.template == "chat":
            pieces = around_audio(self._chat(message(task, source, target)))
        else:
            pieces = prompt(task, source, target, self.template)
        return self.bos + self._ids([pieces.before])[0], self._ids([pieces.after])[0]

    def message_ids(self, text: str) -> list[int]:
        """Token ids of a message without audio in the chat template, up to where the answer starts."""
        whole = self._chat(text) if self.template == "chat" else TEMPLATES[self.template].format(input=text)
        return self.bos + self._ids([whole])[0]

    def target_ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of targets, EOS included."""
        return [[*ids, self.eos] for ids in self._ids(texts)]

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Text of generated ids, (rows, tokens), up to its end, without special tokens and outer white space."""
        kept = [list(takewhile(lambda token: token not in self.ends, row)) for row in ids.tolist()]
        return [text.strip() for text in self.tokenizer.batch_decode(kept, skip_special_tokens=True)]

    batch_decode = decode

    def _ids(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def _chat(self, message: str) -> str:
        """The message in the tokenizer's chat template, up to where the answer starts.

        Reasoning models are asked to answer at once, and templates that tell the date tell a fixed one: a prompt must
        not change from one day to the next.
        """
        text: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": message}],
            chat_template=_FIXED_DATE + self.tokenizer.get_chat_template(),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return text

    def _chat_end(self) -> list[int]:
        """The special token that closes an answer in the chat template, if it is one."""
        answered = [{"role": "user", "content": AUDIO}, {"role": "assistant", "content": ANSWER}]
        try:
            text: str = self.tokenizer.apply_chat_template(
                answered, chat_template=_FIXED_DATE + self.tokenizer.get_chat_template(), tokenize=False
            )
        except Exception:  # a template for questions only, which may end in any error
            return []
        _, answer, after = text.rpartition(ANSWER)
        first = self._ids([after])[0][:1] if answer else []
        added = self.tokenizer.added_tokens_decoder
        return [token for token in first if token in added and added[token].special]

    def _check_chat_template(self) -> None:
        where = self.tokenizer.name_or_path
        if not self.tokenizer.chat_template:
            raise ConfigError(
                f"the tokenizer of {where} has no chat template. Choose a chat model, or set llm.template to one of "
                f"{', '.join(TEMPLATES)}."
            )
        try:
            shown = self._chat(AUDIO)
        except Exception as error:  # of jinja, or of whatever a template computes
            raise ConfigError(
                f"the chat template of {where} cannot be used: {first_line(error)} Correct it, or set llm.template to "
                f"one of {', '.join(TEMPLATES)}."
            ) from None
        if shown.count(AUDIO) != 1:
            raise ConfigError(f"the chat template of {where} does not show a user's message as it is, once.")


def pad_audio(clips: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips at 16 kHz as one zero-padded batch (clips, samples), and their encoder positions (clips,)."""
    samples = torch.zeros(len(clips), max(len(clip) for clip in clips))
    for index, clip in enumerate(clips):
        samples[index, : len(clip)] = torch.from_numpy(clip)
    return samples, torch.tensor([encoder_positions(len(clip)) for clip in clips])


AutoProcessor.register(LlastConfig, LlastProcessor)
