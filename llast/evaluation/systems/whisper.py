"""Whisper: its own transcripts, and its own translations into English."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    WhisperForConditionalGeneration,
)

from llast.config.evaluation_only import CascadeExperiment, WhisperExperiment
from llast.errors import ConfigError, DataError
from llast.evaluation.systems.base import SystemInputs
from llast.languages import language
from llast.model.beam_search import beam_search
from llast.model.cross_attention import HeardOnce
from llast.model.decoding import TEXT_POSITIONS, Clip, DecodedBatch, Request, long_to_short
from llast.model.encoders.whisper import WhisperSpeechEncoder
from llast.model.features import HOP, SAMPLE_RATE, encoder_positions
from llast.model.memory_budget import MemoryBudget
from llast.model.modeling import DTYPES
from llast.model.processing import pad_audio
from llast.model.tokenizer import ends_of, load_tokenizer
from llast.model.weights import load_whole, reading

TASKS = {"asr": "transcribe", "st": "translate"}


class WhisperSystem:
    """A Whisper checkpoint that decodes clips in batches; each clip is encoded once for all its requests.

    A checkpoint without tokens for tasks and languages, such as the demo's, transcribes whatever the request. What lies
    beyond 30 s of a clip is not heard.

    Raises:
        ConfigError: the folder holds another kind of model.
    """

    def __init__(self, experiment: WhisperExperiment | CascadeExperiment, inputs: SystemInputs) -> None:
        folder, decoding = inputs.bases["whisper"], inputs.decoding
        with reading(folder):
            found = AutoConfig.from_pretrained(folder, trust_remote_code=False).model_type
        if found not in WhisperSpeechEncoder.model_types:
            raise ConfigError(
                f"{folder} is a model of type '{found}', not a Whisper. Name another as whisper.base."
            )
        model: Any = load_whole(
            WhisperForConditionalGeneration.from_pretrained,
            folder,
            dtype=DTYPES[experiment.precision],
            attn_implementation="sdpa",
        )
        self.model = model.to(inputs.device).eval()
        # Nothing is encoded; Whisper's own class leaves out time stamps when it decodes.
        self.tokenizer = load_tokenizer(folder, rebuild=True)
        self._window = experiment.whisper.window
        self._padded = WhisperSpeechEncoder().padded_positions(self._window)
        self._decoding = decoding
        self._budget = MemoryBudget(decoding.batch_tokens)
        known = self.model.generation_config
        ends = {end for end in (*ends_of(folder), self.tokenizer.eos_token_id) if end is not None}
        if max(ends, default=0) >= self.model.config.vocab_size:
            raise DataError(
                f"{folder}: the token {max(ends)} that ends a text has no embedding, of which there are "
                f"{self.model.config.vocab_size}. Is the tokenizer another model's?"
            )
        known.eos_token_id = sorted(ends)
        start = known.decoder_start_token_id
        self._start = self.model.config.decoder_start_token_id if start is None else start

    def __call__(self, clips: Sequence[Clip]) -> Iterator[DecodedBatch]:
        """Decode clips in batches, from long to short."""
        return long_to_short(clips, self._budget, self._cost, self._decode)

    def _cost(self, clip: Clip) -> int:
        """Positions that the decoder's cache holds for a clip: what is heard, and what is said by all its beams."""
        heard = self._padded or encoder_positions(round(clip.seconds * SAMPLE_RATE))
        return heard + TEXT_POSITIONS * self._decoding.num_beams * len(clip.requests)

    @torch.no_grad()
    def _decode(self, clips: Sequence[Clip]) -> list[list[str]]:
        device = self.model.device
        samples, positions = pad_audio([clip.samples() for clip in clips])
        if self._padded is not None:  # the decoder listens to all of the window
            window = 2 * HOP * self._padded
            samples = nn.functional.pad(samples, (0, max(0, window - samples.shape[1])))
        positions = positions.to(device)
        heard = WhisperSpeechEncoder().encode(
            self.model.model.encoder, samples.to(device), positions, self._window
        )
        mask = (
            torch.arange(heard.shape[1], device=device) < positions[:, None] if self._padded is None else None
        )
        rows = torch.tensor([index for index, clip in enumerate(clips) for _ in clip.requests], device=device)
        prompts = [self._prompt(request) for clip in clips for request in clip.requests]
        cache = HeardOnce(self.model.model.decoder, heard, mask, rows)
        said = _Said(self.model, cache)
        generation = self.model.generation_config
        with cache.attended(self.model):
            ids = beam_search(
                said.read(torch.tensor(prompts, device=device)),
                said,
                self._decoding.num_beams,
                min(self._decoding.max_new_tokens, self.model.config.max_target_positions - len(prompts[0])),
                generation.eos_token_id,
                generation.pad_token_id or self.tokenizer.pad_token_id,
                generation.suppress_tokens or (),
                generation.begin_suppress_tokens or (),
            )
        texts = iter(self.tokenizer.batch_decode(ids, skip_special_tokens=True))
        return [[next(texts).strip() for _ in clip.requests] for clip in clips]

    def _prompt(self, request: Request) -> list[int]:
        """Start, language, task, no time stamps (arXiv 2212.04356, section 2.3)."""
        code = language(request.source).whisper_code
        words = [f"<|{code}|>", f"<|{TASKS[request.task]}|>", "<|notimestamps|>"]
        vocabulary = self.tokenizer.get_vocab()
        if words[1] not in vocabulary:
            return [self._start]
        missing = [word for word in words if word not in vocabulary]
        if missing:
            raise DataError(
                f"{self.tokenizer.name_or_path} has no token {missing[0]}. Take a multilingual Whisper checkpoint."
            )
        return [self._start, *(vocabulary[word] for word in words)]


class _Said:
    """Whisper's decoder in the midst of texts, one a row of its cache: what `beam_search` goes on with."""

    def __init__(self, model: Any, cache: HeardOnce) -> None:
        self._model, self._cache = model, cache

    def read(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits after the last of (rows, new) token ids: (rows, vocabulary)."""
        # What was heard lies in the cache; the decoder only asks whether there is something.
        heard = torch.empty(len(ids), 0, device=ids.device)
        hidden = self._model.model.decoder(
            input_ids=ids, encoder_hidden_states=heard, past_key_values=self._cache, use_cache=True
        ).last_hidden_state
        logits: torch.Tensor = self._model.proj_out(hidden[:, -1])
        return logits

    def __call__(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """As `beam_search.Continuation`."""
        self._cache.select(texts)
        return self.read(tokens[:, None])
