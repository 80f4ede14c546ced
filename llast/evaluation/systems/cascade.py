"""A cascade: Whisper's transcript, translated by a language model that only reads text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from llast.config.evaluation_only import CascadeExperiment
from llast.errors import DataError
from llast.evaluation.systems.base import SystemInputs
from llast.evaluation.systems.whisper import WhisperSystem
from llast.languages import language
from llast.model.beam_search import beam_search
from llast.model.decoding import TEXT_POSITIONS, Clip, DecodedBatch, Request, Texts, padded_left
from llast.model.limits import check_vocabulary, positions_missing, positions_of
from llast.model.memory_budget import MemoryBudget
from llast.model.modeling import DTYPES
from llast.model.prefix import require_readable
from llast.model.processing import LlastProcessor
from llast.model.weights import load_whole


@dataclass(frozen=True, eq=False)
class _Row:
    request: Request
    ids: list[int]


class CascadeSystem:
    """Decodes clips in the batches of its Whisper; the transcript of a clip serves all its targets."""

    def __init__(self, experiment: CascadeExperiment, inputs: SystemInputs) -> None:
        folder, decoding = inputs.bases["llm"], inputs.decoding
        self._whisper = WhisperSystem(experiment, inputs)
        model: Any = load_whole(
            AutoModelForCausalLM.from_pretrained,
            folder,
            dtype=DTYPES[experiment.precision],
            attn_implementation="sdpa",
            trust_remote_code=False,
        )
        self._model = model.to(inputs.device).eval()
        self._processor = LlastProcessor.from_llm(folder, experiment.llm.template)
        self._template = experiment.llm.prompt
        self._decoding = decoding
        self._budget = MemoryBudget(decoding.batch_tokens)
        check_vocabulary(self._processor, model, folder)
        require_readable(self._model)

    def __call__(self, clips: Sequence[Clip]) -> Iterator[DecodedBatch]:
        """Decode clips in batches, from long to short."""
        heard = [
            replace(clip, requests=tuple({Request("asr", r.source, r.source) for r in clip.requests}))
            for clip in clips
        ]
        for indices, transcripts in self._whisper(heard):
            spoken = [transcript for (transcript,) in transcripts]
            rows = [
                [_Row(request, self._prompt(request, text)) for request in clips[index].requests]
                for index, text in zip(indices, spoken, strict=True)
            ]
            translated = self._translate(
                [row for of_clip in rows for row in of_clip if row.request.task == "st"]
            )
            texts = [
                [text if row.request.task == "asr" else translated[row] for row in of_clip]
                for of_clip, text in zip(rows, spoken, strict=True)
            ]
            yield DecodedBatch(indices, texts)

    def _prompt(self, request: Request, text: str) -> list[int]:
        names = {"source": language(request.source).name, "target": language(request.target).name}
        prompt = self._template.format(text="{text}", **names).replace("{text}", text)  # braces may be said
        return self._processor.message_ids(prompt)

    def _translate(self, rows: list[_Row]) -> dict[_Row, str]:
        def cost(row: _Row) -> int:
            return (len(row.ids) + TEXT_POSITIONS) * self._decoding.num_beams

        longest_first = sorted(rows, key=lambda row: -len(row.ids))
        longest, new_tokens = max((len(row.ids) for row in rows), default=0), self._decoding.max_new_tokens
        if positions_missing(self._model, longest, new_tokens):
            raise DataError(
                f"{self._model.config._name_or_path} has {positions_of(self._model)} positions; the longest prompt "
                f"takes {longest}, decoding.max_new_tokens {new_tokens}. Lower that, or choose another LLM."
            )
        return {
            row: text
            for batch, texts in self._budget.work(longest_first, cost, self._generate)
            for row, text in zip(batch, texts, strict=True)
        }

    @torch.no_grad()
    def _generate(self, rows: Sequence[_Row]) -> list[str]:
        device = self._model.device
        ids, mask = (part.to(device) for part in padded_left([row.ids for row in rows]))
        texts = Texts(self._model, DynamicCache(config=self._model.config), mask)
        output = beam_search(
            texts.read(ids),
            texts,
            self._decoding.num_beams,
            self._decoding.max_new_tokens,
            self._processor.ends,
            self._processor.eos,
        )
        return self._processor.decode(output)
