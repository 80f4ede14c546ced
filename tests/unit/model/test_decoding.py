"""Decoding clips with all their requests: the same texts as one clip at a time, for a fraction of the work."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DiffLlamaConfig,
    GPT2Config,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen3Config,
)
from transformers.models.llama.modeling_llama import LlamaAttention

from llast.config.experiment import DecodingOptions
from llast.errors import DataError
from llast.model.decoding import Clip, Request, decode, long_to_short
from llast.model.memory_budget import MemoryBudget, is_out_of_memory
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.prefix import can_share, require_readable
from llast.model.processing import LlastProcessor, pad_audio

BASES = (
    Path(__file__).parents[3] / "llast/demo/base_models"
)  # they end their sentences, as random weights do not
LENGTHS = (16_000, 9_000, 24_000, 30_000, 5_000)
REQUESTS = [
    [Request("st", "en", "de"), Request("st", "en", "zh-CN"), Request("asr", "en", "en")],
    [Request("st", "fr", "en")],
    [Request("st", "en", "ja"), Request("st", "en", "sv-SE")],
    [Request("st", "ja", "en")],
    [Request("asr", "zh-CN", "zh-CN")],
]


def clips(lengths: Sequence[int]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [(0.1 * random.standard_normal(length)).astype(np.float32) for length in lengths]


def loaded(window: str = "clip") -> tuple[LlastForConditionalGeneration, LlastProcessor]:
    torch.manual_seed(0)
    bases = BASES / "whisper", BASES / "llama"
    model = LlastForConditionalGeneration.from_bases(
        *bases, window=window, stack=2, template="llama2", dtype=torch.float32
    )
    return model.eval(), LlastProcessor.from_llm(bases[1], "llama2")


def alone(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    clip: np.ndarray,
    request: Request,
    beams: int,
) -> tuple[str, torch.Tensor]:
    """What transformers' `generate` makes of one clip and one prompt; and the inputs that it was given."""
    before, after = processor.prompt_ids(*request)
    embed = model.llm.get_input_embeddings()
    with torch.no_grad():
        speech = model.embed_audio(*pad_audio([clip]))[0]
        inputs = torch.cat([embed(torch.tensor(before)), speech, embed(torch.tensor(after))])[None]
        ids = model.llm.generate(
            inputs_embeds=inputs,
            attention_mask=torch.ones(inputs.shape[:2], dtype=torch.long),
            num_beams=beams,
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=processor.eos,
            pad_token_id=processor.eos,
        )
    return processor.decode(ids)[0], inputs


def score(model: Any, processor: LlastProcessor, inputs: torch.Tensor, text: str) -> float:
    """What beam search ranks a text by: log-probability over length, its end included."""
    target = torch.tensor(processor.target_ids([text])[0])
    embedded = torch.cat([inputs, model.llm.get_input_embeddings()(target)[None]], dim=1)
    with torch.no_grad():
        logits = model.llm(inputs_embeds=embedded).logits[0, inputs.shape[1] - 1 : -1]
    return float(logits.log_softmax(-1).gather(1, target[:, None]).mean())


@pytest.mark.parametrize(
    ("beams", "window", "tokens"), [(1, "clip", 300), (4, "clip", 1500), (4, "30s", 100_000)]
)
def test_the_same_texts_as_one_clip_at_a_time(beams: int, window: str, tokens: int) -> None:
    model, processor = loaded(window)
    options = DecodingOptions(num_beams=beams, max_new_tokens=20, batch_tokens=tokens)
    samples = clips(LENGTHS)
    decoded = decode(model, processor, samples, REQUESTS, options)
    assert [len(texts) for texts in decoded] == [len(of_clip) for of_clip in REQUESTS]
    for clip, of_clip, texts in zip(samples, REQUESTS, decoded, strict=True):
        for request, text in zip(of_clip, texts, strict=True):
            expected, inputs = alone(model, processor, clip, request, beams)
            if text != expected:  # a tie, which rounding decides
                scores = [score(model, processor, inputs, one) for one in (text, expected)]
                assert abs(scores[0] - scores[1]) < 1e-4, (request, text, expected, scores)
    assert len({text for texts in decoded for text in texts}) > 4, "texts that tell something"


SHAPE: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
OTHERS = [
    MistralConfig(**SHAPE, sliding_window=24),
    Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]),
    Qwen3Config(**SHAPE, head_dim=32),
    DiffLlamaConfig(**SHAPE),  # rearranges values on their way to attention
    GPT2Config(n_embd=128, n_layer=2, n_head=4),
    LlamaConfig.from_dict({**SHAPE, "attn_implementation": "eager"}),
]


@pytest.mark.parametrize(
    "config", OTHERS, ids=["sliding window", "recurrent", "grouped", "rearranged", "gpt2", "eager"]
)
def test_llms_with_attention_and_caches_of_other_kinds(config: PretrainedConfig) -> None:
    model, processor = loaded()
    torch.manual_seed(1)
    config.vocab_size = len(processor.tokenizer)
    model.llm = AutoModelForCausalLM.from_config(config).eval()
    options = DecodingOptions(num_beams=3, max_new_tokens=20, batch_tokens=2000)
    samples = clips(LENGTHS)
    for clip, of_clip, texts in zip(
        samples, REQUESTS, decode(model, processor, samples, REQUESTS, options), strict=True
    ):
        assert texts == [alone(model, processor, clip, request, 3)[0] for request in of_clip]


def test_an_llm_whose_attention_is_more_than_the_usual_reads_the_audio_by_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, processor = loaded()
    samples, options = clips(LENGTHS), DecodingOptions(num_beams=3, max_new_tokens=20, batch_tokens=2000)
    expected = decode(model, processor, samples, REQUESTS, options)
    usual: Any = LlamaAttention.forward
    biased = []

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        biased.append(kwargs["attention_mask"])
        return usual(self, *args, **kwargs, position_bias=torch.zeros(1, 1, 1, 1))

    monkeypatch.setattr(LlamaAttention, "forward", forward)
    model, _ = loaded()  # how an LLM reads is found out once
    assert decode(model, processor, samples, REQUESTS, options) == expected
    assert biased


@pytest.mark.parametrize("tokens", [400, 2000, 100_000])
def test_a_clip_is_encoded_once_and_its_audio_read_once(tokens: int) -> None:
    model, processor = loaded()
    require_readable(model.llm)
    assert can_share(model.llm)  # both found out once, on a few tokens
    encoded, read = [], []
    model.encoder.layers[0].register_forward_hook(lambda _, inputs, output: encoded.append(len(inputs[0])))
    llm = model.llm.get_decoder()
    llm.register_forward_pre_hook(
        lambda _, args, kwargs: read.append((kwargs.get("inputs_embeds"), kwargs.get("input_ids"))),
        with_kwargs=True,
    )
    options = DecodingOptions(num_beams=2, max_new_tokens=4, batch_tokens=tokens)
    decode(model, processor, clips(LENGTHS), REQUESTS, options)
    assert sum(encoded) == len(LENGTHS)
    assert sum(len(embedded) for embedded, _ in read if embedded is not None) == len(LENGTHS)
    requests = [request for of_clip in REQUESTS for request in of_clip]
    longest = max(len(processor.prompt_ids(*request)[1]) for request in requests)
    texts = [ids for _, ids in read if ids is not None]
    assert all(ids.shape[1] <= longest for ids in texts), "nothing else is as long as audio"
    prompts = sum(len(ids) for ids in texts if ids.shape[1] > 1)
    assert prompts == sum(map(len, REQUESTS)), "each prompt is read once, before the beams"


LIMITED = """
import resource
from pathlib import Path
from tests.unit.model.test_decoding import MANY, OPTIONS, decode, loaded

model, processor = loaded()
samples, requests = MANY
decode(model, processor, samples[:1], requests[:1], OPTIONS)  # all that is loaded on the first call
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 60 * 2**20,) * 2)
print(*[text for texts in decode(model, processor, samples, requests, OPTIONS) for text in texts], sep="\\n")
"""
MANY = clips([16_000] * 40), [REQUESTS[0]] * 40
OPTIONS = DecodingOptions(num_beams=5, max_new_tokens=20, batch_tokens=10_000_000)


@pytest.mark.slow
def test_what_does_not_fit_into_memory_is_halved_until_it_does() -> None:
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert limited.returncode == 0, limited.stderr[-2000:]
    assert limited.stderr.count("out of memory") == 1, "said once"
    free = decode(*loaded(), *MANY, OPTIONS)
    assert limited.stdout.splitlines() == [text for texts in free for text in texts]


def test_memory_that_is_not_enough_for_one_item(capsys: pytest.CaptureFixture[str]) -> None:
    budget = MemoryBudget(100)

    def work(items: Sequence[int]) -> int:
        torch.empty(2**50 if sum(items) > 15 else 1)  # the allocator refuses a petabyte
        return sum(items)

    batches = budget.work([6, 5, 4, 3, 3, 2, 2, 1], lambda item: item, work)
    assert list(batches) == [([6, 5], 11), ([4, 3, 3], 10), ([2, 2, 1], 5)], (
        "halved until it fits, and not raised again"
    )
    assert capsys.readouterr().err.count("48") == 1, "said once, with what did not fit"
    with pytest.raises(DataError, match=r"decoding\.num_beams"):
        list(budget.work([16], lambda item: item, work))
    with pytest.raises(RuntimeError, match="shape"):
        list(budget.work([1], lambda item: item, lambda _: torch.zeros(4).reshape(3)))


def test_an_error_of_the_gpu_is_known_too() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(torch.AcceleratorError("CUDA error: out of memory"))
    assert not is_out_of_memory(
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    )


def test_batches_go_from_long_clips_to_short_and_leave_out_what_nobody_asks_for() -> None:
    request = (Request("asr", "en", "en"),)
    lengths = {1.0: request, 3.0: request, 9.0: (), 2.0: request}
    made = [Clip(seconds, lambda: np.zeros(0), requests) for seconds, requests in lengths.items()]
    batches = long_to_short(
        made, MemoryBudget(2), lambda _: 1, lambda batch: [[f"{clip.seconds:g} s"] for clip in batch]
    )
    assert list(batches) == [([1, 3], [["3 s"], ["2 s"]]), ([0], [["1 s"]])]
