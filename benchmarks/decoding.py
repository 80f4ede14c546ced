"""Decoding with beam 5 against transformers' `generate`: same model, clips and window.

That is called one clip at a time, as released, and as a good user would: in batches of clips of about equal length.

`--device cuda --shape 2b` takes the shapes of LLaST-2B in bf16.
"""

import numpy as np
import torch
from flops import flops, matmul_flops
from record import ROOT, Measured, in_turn, main, named, peak_mib
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from llast.config.experiment import DecodingOptions
from llast.languages import EN_X, split_pair
from llast.model.configuration import LlastConfig
from llast.model.decoding import Request, decode
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor, pad_audio

LLAMA = ROOT / "llast/demo/base_models/llama"  # its tokenizer only: prompts of usual length
MOST_TOKENS = 32
TARGETS = {"cpu": {1: 1.5, 15: 4.5}, "cuda": {1: 8.0, 15: 20.0}}
"""What is asked for, by device and targets a clip: times plain `generate`, hypotheses a second."""

OVER_BATCHED = {1: 4.0, 15: 8.0}
"""The same, times `generate` in batches; on every device."""

BATCH = {"cpu": 8, "cuda": 64}
"""Rows of a batch of `generate`."""

MOST_MIB = {"small": 4096.0, "2b": 40_000.0}


class Numbers(LlastProcessor):
    """Hypotheses as token ids: a model with random weights says nothing that could be read."""

    def decode(self, ids: torch.Tensor) -> list[str]:
        return [" ".join(str(token) for token in row if token != self.eos) for row in ids.tolist()]


def build(shape: str, window: str, device: str) -> LlastForConditionalGeneration:
    """A model with random weights, whose hypotheses end after some 25 tokens, at various lengths."""
    torch.manual_seed(0)
    width, layers, heads, mels = (1280, 32, 20, 80) if shape == "2b" else (512, 6, 8, 80)
    encoder = WhisperConfig(
        d_model=width, encoder_layers=layers, encoder_attention_heads=heads, encoder_ffn_dim=4 * width,
        num_mel_bins=mels, decoder_layers=1,
    )  # fmt: skip
    big = {"hidden_size": 2048, "num_hidden_layers": 22, "num_attention_heads": 32, "intermediate_size": 5632}
    small = {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "intermediate_size": 1376}
    llm = LlamaConfig(
        **(big if shape == "2b" else small), num_key_value_heads=4 if shape == "2b" else 8, vocab_size=32_000,
        pad_token_id=2,
    )  # fmt: skip
    config = LlastConfig(encoder, llm, window=window, stack=1, template="llama2")
    model = LlastForConditionalGeneration(config, WhisperEncoder(encoder), LlamaForCausalLM(llm))
    with torch.no_grad():
        for layer in (model.adaptor.layers[0], model.adaptor.layers[2], model.adaptor.layers[4]):
            layer.weight *= 3  # as varied as words are, so that clips differ
    model.llm.lm_head = Ending(model.llm.lm_head)
    model.generation_config.update(eos_token_id=2, pad_token_id=2)
    return model.to(device, torch.bfloat16 if device == "cuda" else torch.float32).eval()


class Ending(torch.nn.Module):
    """The output layer of a model with random weights, which by itself would never end a text.

    Now and then, by what a token's hidden state happens to be, the end is about as likely as the likeliest word.
    """

    def __init__(self, words: torch.nn.Linear) -> None:
        super().__init__()
        self.words = words
        self.weight = words.weight
        self.chance = torch.nn.Parameter(torch.randn(words.in_features), requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of all words."""
        logits = self.words(hidden)
        ends = torch.sin(3 * hidden.float() @ self.chance.float()) > RARE  # bfloat16 has no 0.9997
        logits[..., 2] = torch.where(ends, logits.amax(-1) + 0.5, logits.amin(-1))
        return logits


RARE = 0.9997
"""How rarely that is: texts of about 25 tokens, at most 32, as even as translations are."""


def clips(count: int) -> list[np.ndarray]:
    """Noise of CoVoST-2's lengths: 5.2 s on average."""
    random = np.random.default_rng(0)
    seconds = np.clip(random.lognormal(1.57, 0.4, count), 1.0, 15.0)
    return [(0.1 * random.standard_normal(int(length * 16_000))).astype(np.float32) for length in seconds]


def plain(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    samples: list[np.ndarray],
    requests: list[list[Request]],
    options: DecodingOptions,
) -> list[list[str]]:
    """One clip and one target at a time."""
    texts: list[list[str]] = []
    for clip, of_clip in zip(samples, requests, strict=True):
        texts.append([])
        for request in of_clip:
            before, after = processor.prompt_ids(*request)
            ids = model.generate(
                *pad_audio([clip]), torch.tensor([0]), [torch.tensor(before)], [torch.tensor(after)],
                num_beams=options.num_beams, max_new_tokens=options.max_new_tokens, do_sample=False,
            )  # fmt: skip
            texts[-1] += processor.decode(ids)
    return texts


def batched(
    model: LlastForConditionalGeneration,
    processor: LlastProcessor,
    samples: list[np.ndarray],
    requests: list[list[Request]],
    options: DecodingOptions,
) -> list[list[str]]:
    """Rows of about equal length together."""
    rows = [(clip, request) for clip, of_clip in enumerate(requests) for request in range(len(of_clip))]
    rows.sort(key=lambda row: -len(samples[row[0]]))
    texts = [[""] * len(of_clip) for of_clip in requests]
    size = BATCH[model.device.type]
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        clips = sorted({clip for clip, _ in batch})
        prompts = [processor.prompt_ids(*requests[clip][request]) for clip, request in batch]
        ids = model.generate(
            *pad_audio([samples[clip] for clip in clips]),
            torch.tensor([clips.index(clip) for clip, _ in batch]),
            [torch.tensor(before) for before, _ in prompts],
            [torch.tensor(after) for _, after in prompts],
            num_beams=options.num_beams, max_new_tokens=options.max_new_tokens, do_sample=False,
        )  # fmt: skip
        for (clip, request), text in zip(batch, processor.decode(ids), strict=True):
            texts[clip][request] = text
    return texts


def compare(shape: str, device: str, window: str, targets: int, count: int, rounds: int) -> list[Measured]:
    """Hypotheses a second, both ways, and the share of the machine's matrix rate that ours has."""
    model = build(shape, window, device)
    processor = Numbers.from_llm(LLAMA, "llama2")
    samples = clips(count)
    requests = [[Request("st", *split_pair(pair)) for pair in EN_X[:targets]]] * count
    options = DecodingOptions(
        num_beams=5, max_new_tokens=MOST_TOKENS, batch_tokens=131_072 if device == "cuda" else 16_384
    )
    texts: dict[str, list[list[str]]] = {}

    def side(name: str) -> None:
        texts[name] = SIDES[name](model, processor, samples, requests, options)
        if device == "cuda":
            torch.cuda.synchronize()

    seconds = in_turn(
        {name: lambda name=name: side(name) for name in SIDES}, rounds, warm_up=device == "cuda"
    )  # type: ignore[misc]
    flat = {name: [text for of_clip in both for text in of_clip] for name, both in texts.items()}
    rows = len(flat["ours"])
    same = min(
        sum(ours == theirs for ours, theirs in zip(flat["ours"], flat[name], strict=True)) for name in flat
    )
    if device == "cpu" and same < 0.95 * rows:  # the others are ties; bf16 rounds too much to tell
        raise SystemExit(f"only {same} of {rows} hypotheses are those of generate")
    lengths = [text.count(" ") + 1 for text in flat["ours"]]
    if min(lengths) == MOST_TOKENS:
        raise SystemExit("no hypothesis ends before its most tokens: this is not how translations are")
    size = f"model {shape} on {device}, {count} clips"
    name = f"{targets}_{window}{named(shape, device)}"
    what = "one target" if targets == 1 else f"{targets} targets"
    times = TARGETS[device][targets] if window == "clip" else 1.0
    rate, limit = rows / seconds["plain"], matmul_flops(device) / 1e9
    return [
        Measured(
            f"decoding_{name}",
            f"{what} a clip, beam 5, window {window}: at least {times:g} times as many hypotheses a second ({size})",
            rows / seconds["ours"],
            "hypotheses/s",
            rate,
            "plain generate, one at a time",
            ours_is=f"{np.mean(lengths):.0f} tokens each, {sum(lengths) / seconds['ours']:,.0f} tokens a second; "
            f"{same} of {rows} hypotheses are the same",
            target=times * rate,
            rounds=rounds,
        ),
        Measured(
            f"decoding_batched_{name}",
            f"{what} a clip, beam 5, window {window}: at least {OVER_BATCHED[targets]:g} times as many hypotheses a "
            f"second as transformers' generate in batches ({size})",
            rows / seconds["ours"],
            "hypotheses/s",
            rows / seconds["batched"],
            f"generate, batches of {BATCH[device]} rows of about equal length",
            target=OVER_BATCHED[targets] * rows / seconds["batched"],
            rounds=rounds,
        ),
        Measured(
            f"decoding_utilisation_{name}",
            f"matrix products executed in decoding {what} a clip, window {window} ({size})",
            flops(lambda: side("ours")) / seconds["ours"] / 1e9,
            "GFLOP/s",
            limit=limit,
            limit_is="one large matrix product",
            rounds=rounds,
        ),
    ]


SIDES = {"ours": decode, "plain": plain, "batched": batched}


def measure(full: bool, device: str, shape: str) -> list[Measured]:
    """One target a clip, and all 15 of English."""
    if shape == "2b":
        sizes, rounds = {("30s", 1): 32, ("clip", 1): 64, ("30s", 15): 16, ("clip", 15): 16}, 2
    elif full:
        sizes, rounds = {("30s", 1): 8, ("clip", 1): 16, ("clip", 15): 3}, 2
    else:
        sizes, rounds = {("clip", 1): 6, ("clip", 15): 1}, 1
    found = [
        measured
        for (window, targets), count in sizes.items()
        for measured in compare(shape, device, window, targets, count, rounds)
    ]
    gpu = device == "cuda"
    memory = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_mib()
    return [
        *found,
        Measured(
            f"decoding_memory{named(shape, device)}",
            f"the most that decoding all of these holds (model {shape} on {device}, both sides)",
            memory,
            "MiB",
            target=MOST_MIB[shape],
            lower_is_better=True,
        ),
    ]


if __name__ == "__main__":
    main(measure, device=("cpu", "cuda"), shape=("small", "2b"))
