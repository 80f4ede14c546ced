"""Decoding: clips with the requests for each, to texts.

Each clip is encoded once and the LLM reads its audio once, however many requests it has. A row for each request
starts from the LLM's cache of the audio, reads its prompt, and only then come the beams.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache

from llast.config.experiment import DecodingOptions
from llast.errors import DataError
from llast.model.adaptor import stacked
from llast.model.beam_search import beam_search
from llast.model.features import SAMPLE_RATE, encoder_positions
from llast.model.limits import positions_missing, positions_of
from llast.model.memory_budget import MemoryBudget
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.prefix import (
    can_share,
    next_logits,
    read,
    require_readable,
    select,
    share,
    shared,
    spread,
    tolerates_gaps,
)
from llast.model.processing import LlastProcessor, pad_audio
from llast.model.prompts import Task

TEXT_POSITIONS = 64
"""What a prompt and a usual hypothesis come to, for the memory budget."""


class Request(NamedTuple):
    """A text wanted of a clip: the task, the spoken language and the language to write (the same two for `asr`)."""

    task: Task
    source: str
    target: str


@dataclass(frozen=True)
class Clip:
    """A clip to decode.

    Attributes:
        seconds: its length.
        samples: gives its samples, (samples,) float at 16 kHz; called when its turn comes.
        requests: the texts wanted of it.
    """

    seconds: float
    samples: Callable[[], np.ndarray]
    requests: tuple[Request, ...]


class DecodedBatch(NamedTuple):
    """Indices of the clips of a batch; for each clip its texts, in the order of its requests."""

    clips: list[int]
    texts: list[list[str]]


def decode(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    samples: Sequence[np.ndarray],
    requests: Sequence[Sequence[Request]],
    options: DecodingOptions,
) -> list[list[str]]:
    """Decode clips: for each a text per request.

    Args:
        model: in evaluation mode, on the device to use.
        processor: the model's.
        samples: a clip each, (samples,) float at 16 kHz. What lies beyond 30 s is not heard.
        requests: those of each clip.
        options: beams, longest hypothesis, memory budget.

    Raises:
        DataError: there is not memory enough for a single clip, or a clip is too long for the LLM.
    """
    clips = [
        Clip(len(clip) / SAMPLE_RATE, lambda clip=clip: clip, tuple(of_clip))  # type: ignore[misc]
        for clip, of_clip in zip(samples, requests, strict=True)
    ]
    texts: dict[int, list[str]] = {}
    for indices, of_clips in decode_batches(model, processor, clips, options):
        texts.update(zip(indices, of_clips, strict=True))
    return [texts[index] for index in range(len(clips))]


def decode_batches(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    clips: Sequence[Clip],
    options: DecodingOptions,
) -> Iterator[DecodedBatch]:
    """As `decode`, batch by batch from long clips to short ones, for work that is saved as it goes."""
    batch = _Batch(model, processor, options)
    batch.check_positions(clips)
    return long_to_short(clips, batch.budget, batch.cost, batch.decode)


def long_to_short(
    clips: Sequence[Clip],
    budget: MemoryBudget,
    cost: Callable[[Clip], int],
    decode: Callable[[Sequence[Clip]], list[list[str]]],
) -> Iterator[DecodedBatch]:
    """Decode clips that have requests in batches of about equal length.

    Args:
        clips: in any order.
        budget: decides how many make a batch.
        cost: of a clip, in the unit of the budget.
        decode: gives the texts of each clip of a batch, in the order of its requests.

    Raises:
        DataError: there is not memory enough for a single clip.
    """
    asking = [index for index, clip in enumerate(clips) if clip.requests]
    batches = budget.work(
        sorted(asking, key=lambda index: -clips[index].seconds),
        lambda index: cost(clips[index]),
        lambda indices: decode([clips[index] for index in indices]),
    )
    for indices, texts in batches:
        yield DecodedBatch(list(indices), texts)


@dataclass(frozen=True, eq=False)
class _Prompt:
    """A row: the number of its clip in the batch, and the token ids after the audio."""

    clip: int
    ids: list[int]


class _Batch:
    """Decodes a batch of clips; holds what all batches have in common."""

    def __init__(
        self, model: LlastForConditionalGeneration, processor: LlastProcessor, options: DecodingOptions
    ) -> None:
        self.budget = MemoryBudget(options.batch_tokens)
        self._model = model
        self._llm = model.llm
        require_readable(model.llm)
        self._shares = can_share(model.llm)
        self._processor = processor
        self._beams, self._most = options.num_beams, options.max_new_tokens
        ends = model.generation_config.eos_token_id
        self._ends = ends if isinstance(ends, list) else [ends]

    def check_positions(self, clips: Sequence[Clip]) -> None:
        """Refuse clips that the LLM has too few positions for, before anything is decoded.

        Raises:
            DataError: the longest is too long.
        """
        requests = {request for clip in clips for request in clip.requests}
        prompts = [sum(map(len, self._processor.prompt_ids(*request))) for request in requests]
        longest = max((clip.seconds for clip in clips if clip.requests), default=0.0)
        needed = self._audio(longest) + max(prompts, default=0)
        if positions_missing(self._llm, needed, self._most):
            raise DataError(
                f"{self._llm.config._name_or_path or 'the LLM'} has {positions_of(self._llm)} positions; a clip of "
                f"{longest:.1f} s with its prompt takes {needed}, decoding.max_new_tokens {self._most}. Decode shorter "
                "clips (filter.max_seconds, --segment-seconds) or fewer tokens; or train with more adaptor.stack."
            )

    def _audio(self, seconds: float) -> int:
        """LLM positions of so much audio."""
        return stacked(encoder_positions(round(seconds * SAMPLE_RATE)), self._model.config.stack)

    def cost(self, clip: Clip) -> int:
        """LLM positions that the cache holds for a clip."""
        audio = self._audio(clip.seconds)
        hypotheses = len(clip.requests) * self._beams
        return TEXT_POSITIONS * hypotheses + audio * (1 if self._shares else hypotheses)

    @torch.no_grad()
    def decode(self, clips: Sequence[Clip]) -> list[list[str]]:
        """The texts of each clip, in the order of its requests."""
        requests = [(index, request) for index, clip in enumerate(clips) for request in clip.requests]
        prompts = [self._processor.prompt_ids(*request) for _, request in requests]
        before = prompts[0][0]
        assert all(pieces[0] == before for pieces in prompts), (
            "what stands before the audio is the same for all"
        )
        cache, mask = self._read_audio(clips, before)
        rows = [_Prompt(index, after) for (index, _), (_, after) in zip(requests, prompts, strict=True)]
        # Prompts of a batch are padded on the left, which leaves a gap between audio and prompt.
        lengths = {len(row.ids) for row in rows}
        groups = [[row for row in rows if len(row.ids) == length] for length in lengths]
        cost = max(1, max(self.cost(clip) for clip in clips) * len(clips) // len(rows))
        texts: dict[_Prompt, str] = {}
        for group in [rows] if tolerates_gaps(cache) else groups:
            for batch, decoded in self.budget.work(
                group, lambda _: cost, lambda batch: self._generate(cache, mask, batch)
            ):
                texts.update(zip(batch, decoded, strict=True))
        return [[texts[row] for row in rows if row.clip == index] for index in range(len(clips))]

    def _read_audio(self, clips: Sequence[Clip], before: list[int]) -> tuple[DynamicCache, torch.Tensor]:
        """Encode the clips and let the LLM read them: its cache, and (clips, positions) where it holds something."""
        embed = self._llm.get_input_embeddings()
        device, dtype = embed.weight.device, embed.weight.dtype
        samples, positions = pad_audio([clip.samples() for clip in clips])
        speech = self._model.embed_audio(samples.to(device), positions.to(device)).to(dtype)
        lengths = [stacked(count, self._model.config.stack) for count in positions.tolist()]
        longest = len(before) + max(lengths)
        start = embed(torch.tensor(before, device=device, dtype=torch.long))
        inputs = speech.new_zeros(len(clips), longest, speech.shape[2])
        mask = torch.zeros(len(clips), longest, dtype=torch.long, device=device)
        for row, length in enumerate(lengths):
            inputs[row, longest - length :] = speech[row, :length]
            inputs[row, longest - length - len(before) : longest - length] = start
            mask[row, longest - length - len(before) :] = 1
        cache = DynamicCache(config=self._llm.config)
        read(self._llm, cache, mask, inputs_embeds=inputs)
        return cache, mask

    def _generate(self, cache: DynamicCache, mask: torch.Tensor, rows: Sequence["_Prompt"]) -> list[str]:
        """The texts of rows. Prompts are read before there are beams."""
        device = mask.device
        longest = max(len(row.ids) for row in rows)
        ids = torch.tensor([[0] * (longest - len(row.ids)) + row.ids for row in rows], device=device)
        own = torch.tensor(
            [[0] * (longest - len(row.ids)) + [1] * len(row.ids) for row in rows], device=device
        )
        clip = torch.tensor([row.clip for row in rows], device=device)
        started = share(cache, clip) if self._shares else spread(cache, clip)
        texts = Texts(self._llm, started, torch.cat([mask[clip], own], dim=1))
        with shared(self._llm, started):
            output = beam_search(
                texts.read(ids), texts, self._beams, self._most, self._ends, self._processor.eos
            )
        return self._processor.decode(output)


def padded_left(prompts: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of prompts that end together, (rows, longest), and 1 where there is one."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids, mask


class Texts:
    """An LLM in the midst of texts, one a row of its cache: what `beam_search` goes on with."""

    def __init__(self, llm: Any, cache: DynamicCache, mask: torch.Tensor) -> None:
        """
        Args:
            llm: a causal LM.
            cache: what it has read; is changed.
            mask: (rows, positions) 1 where there is something, those that `read` will read included.
        """
        self._llm, self._cache, self._mask = llm, cache, mask

    def read(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits after the last of (rows, new) token ids: (rows, vocabulary)."""
        return next_logits(self._llm, self._cache, self._mask, ids)

    def __call__(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """As `beam_search.Continuation`."""
        select(self._cache, texts)
        self._mask = torch.nn.functional.pad(self._mask[texts], (0, 1), value=1)
        return self.read(tokens[:, None])
