"""The demo's language model: a Llama of three layers that can copy and translate the grammar's sentences.

It reads LLaST's prompt with the source text where training later puts the audio. Part of the rows have their source
split into smaller pieces, stretched over time and disturbed, so that what an adaptor sends, frames rather than words,
is not altogether foreign to it.
"""

import itertools
import json
import logging
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llast.demo.grammar import LANGUAGES, render
from llast.demo.meanings import Meaning
from llast.languages import language
from llast.model.prompts import Task, prompt
from llast.progress import progress

logger = logging.getLogger(__name__)

TEMPLATE = "llama2"
TASKS: tuple[tuple[Task, str, str], ...] = (
    *(("st", lang, "en") for lang in LANGUAGES if lang != "en"),
    *(("st", "en", lang) for lang in ("de", "zh-CN", "ja")),
    *(("asr", lang, lang) for lang in LANGUAGES),
)
"""(task, source, target) that the model learns; translations count double where a batch draws them."""

UNK, BOS, EOS = 0, 1, 2
IGNORED = -100


@dataclass(frozen=True)
class TextTraining:
    """How the language model is made."""

    vocabulary: int = 1000
    width: int = 128
    layers: int = 3
    steps: int = 3000
    rows: int = 64
    peak_rate: float = 2e-3
    share_spoken: float = 0.7


def train_tokenizer(sentences: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    """A Llama-like BPE: word-start mark, bytes for what is unknown, `<unk>` 0, `<s>` 1, `</s>` 2."""
    prompts = [
        text
        for task, source, target in TASKS
        for text in vars(prompt(task, source, target, TEMPLATE)).values()
    ]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(byte_tokens) - len(special), max_token_length=12, show_progress=False
    )
    learner.train_from_iterator([*sentences, *prompts * (len(sentences) // 50)], trainer)
    learned = json.loads(learner.to_str())["model"]
    tokens = [*special, *byte_tokens, *(token for token in learned["vocab"] if token != "\n")]
    merges = [tuple(merge) for merge in learned["merges"] if "\n" not in "".join(merge)]
    tokenizer = Tokenizer(
        models.BPE(
            {token: number for number, token in enumerate(tokens)},
            merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.pre_tokenizer = learner.pre_tokenizer
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", BOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Token ids of a piece of text, without special tokens."""
    return tokenizer.encode(text, add_special_tokens=False)


def prompt_ids(
    tokenizer: PreTrainedTokenizerFast, task: Task, source: str, target: str
) -> tuple[list[int], list[int]]:
    """Token ids before and after the source: bos and the text before it, the text after it."""
    around = prompt(task, source, target, TEMPLATE)
    return [BOS, *encode(tokenizer, around.before)], encode(tokenizer, around.after)


@dataclass(frozen=True)
class Frame:
    """What stands in one position of a source: a weighted sum of up to two tokens' embeddings."""

    tokens: tuple[int, int]
    weights: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A training row: token ids, and the source's frames."""

    before: list[int]
    source: list[Frame]
    after: list[int]
    target: list[int]
    spoken: bool

    def __len__(self) -> int:
        return len(self.before) + len(self.source) + len(self.after) + len(self.target)


def written_frames(tokens: Sequence[int]) -> list[Frame]:
    """A frame per token, as in text."""
    return [Frame((token, token), (1.0, 0.0)) for token in tokens]


def spoken_frames(tokens: Sequence[int], rng: random.Random) -> list[Frame]:
    """Frames as an adaptor may send them: every token lasts one frame or two, more or less.

    In half of the rows a token fills the frames that it lasts, mixed with its neighbour where they meet; in the
    others it stands in its middle frame only and the frames between are empty.
    """
    pace = 1.0 + 1.2 * rng.random()
    ends = list(itertools.accumulate(pace * (0.5 + rng.random()) for _ in tokens))
    starts = [0.0, *ends[:-1]]
    shares: list[dict[int, float]] = [{} for _ in range(math.ceil(ends[-1]))]
    peaked = rng.random() < 0.5
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if peaked:
            shares[int((start + end) / 2)][place] = 1.0
            continue
        for frame in range(int(start), math.ceil(end)):
            shares[frame][place] = min(end, frame + 1) - max(start, frame)
    frames = []
    for share in shares:
        loudest = sorted(share.items(), key=lambda item: -item[1])[:2]
        (first, more), (second, less) = (*loudest, (0, 0.0), (0, 0.0))[:2]
        frames.append(Frame((tokens[first], tokens[second]), (more, less)))
    return frames


def draw_rows(
    tokenizer: PreTrainedTokenizerFast,
    meanings: Sequence[Meaning],
    count: int,
    share_spoken: float,
    rng: random.Random,
) -> list[Row]:
    """Random tasks of random meanings. The text of spoken sources is cut into smaller pieces at random."""
    pieces = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    around = {task: prompt_ids(tokenizer, *task) for task in TASKS}
    weights = [2 if task[0] == "st" else 1 for task in TASKS]
    rows = []
    for task in rng.choices(TASKS, weights, k=count):
        meaning = meanings[int(rng.random() * len(meanings))]
        text, translation = render(meaning, task[1]), render(meaning, task[2])
        spoken = rng.random() < share_spoken
        if spoken:
            pieces.model.dropout = 0.3 * rng.random()
            source = spoken_frames(pieces.encode(text, add_special_tokens=False).ids, rng)
        else:
            source = written_frames(encode(tokenizer, text))
        before, after = around[task]
        rows.append(Row(before, source, after, [*encode(tokenizer, translation), EOS], spoken))
    return rows


def collate(
    rows: Sequence[Row], embedding: torch.nn.Embedding, noise: torch.Generator
) -> dict[str, torch.Tensor]:
    """Embeddings, attention mask and labels (of the next token) of a batch, padded on the right.

    Spoken sources are louder or quieter than text, and get noise of up to 0.7 times the embeddings' own scale.
    """
    longest = max(map(len, rows))
    ids = torch.full((2, len(rows), longest), EOS)
    weights = torch.zeros(2, len(rows), longest, 1)
    weights[0] = 1
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    spoken = torch.zeros(len(rows), longest, 1)
    for number, row in enumerate(rows):
        start, end = len(row.before), len(row.before) + len(row.source)
        ids[0, number, : len(row)] = torch.tensor(
            [*row.before, *(frame.tokens[0] for frame in row.source), *row.after, *row.target]
        )
        ids[1, number, start:end] = torch.tensor([frame.tokens[1] for frame in row.source])
        weights[:, number, start:end, 0] = torch.tensor([frame.weights for frame in row.source]).T
        mask[number, : len(row)] = 1
        labels[number, len(row) - len(row.target) - 1 : len(row) - 1] = torch.tensor(row.target)
        spoken[number, start:end] = float(row.spoken)
    embedded = (embedding(ids) * weights).sum(0)
    gain = 0.6 + 0.8 * torch.rand(len(rows), 1, 1, generator=noise)
    strength = 0.7 * torch.rand(len(rows), 1, 1, generator=noise) * embedding.weight.detach().std()
    disturbed = gain * embedded + strength * torch.randn(embedded.shape, generator=noise)
    return {
        "inputs_embeds": torch.lerp(embedded, disturbed, spoken),
        "attention_mask": mask,
        "labels": labels,
    }


def batches(rows: list[Row], size: int, rng: random.Random) -> Iterator[list[Row]]:
    """Batches of rows of like length, in random order."""
    ordered = sorted(rows, key=len)
    starts = list(range(0, len(ordered), size))
    rng.shuffle(starts)
    for start in starts:
        yield ordered[start : start + size]


def learning_rate(step: int, steps: int, peak: float, warm_up: int = 200) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth of the peak."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))))


def train_text_model(
    tokenizer: PreTrainedTokenizerFast, meanings: Sequence[Meaning], options: TextTraining, seed: int
) -> LlamaForCausalLM:
    """Train the language model from nothing; loss on the target and its end."""
    torch.manual_seed(seed)
    rng, noise = random.Random(seed), torch.Generator().manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=options.width,
            intermediate_size=options.width * 11 // 4,
            num_hidden_layers=options.layers,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=BOS,
            eos_token_id=EOS,
            pad_token_id=EOS,
        )
    )
    model.set_attn_implementation("eager")  # twice as fast as sdpa here: short rows, bfloat16, one thread
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.peak_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    embedding = model.model.embed_tokens
    queue: list[list[Row]] = []
    loss_sum = 0.0
    for step in progress(range(options.steps), "language model", total=options.steps, unit="step"):
        if not queue:
            rows = draw_rows(tokenizer, meanings, 50 * options.rows, options.share_spoken, rng)
            queue = list(batches(rows, options.rows, rng))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps, options.peak_rate)
        batch = collate(queue.pop(), embedding, noise)
        labels = batch.pop("labels")
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(**batch, use_cache=False).last_hidden_state
            logits = model.lm_head(hidden[labels != IGNORED])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[labels != IGNORED])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss_sum += loss.item()
        if (step + 1) % 200 == 0:
            logger.info("language model: step %d, loss %.4f", step + 1, loss_sum / 200)
            loss_sum = 0.0
    return model.eval()


@torch.no_grad()
def translate_texts(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    task: Task,
    source: str,
    target: str,
    longest: int = 64,
) -> list[str]:
    """Greedy output of the language model for written sources."""
    before, after = prompt_ids(tokenizer, task, source, target)
    rows = [[*before, *encode(tokenizer, text), *after] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([[EOS] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    output = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=longest, do_sample=False)  # type: ignore[misc]
    return list(tokenizer.batch_decode(output[:, width:], skip_special_tokens=True))


def text_metrics(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, meanings: Sequence[Meaning]
) -> dict[str, float]:
    """BLEU of every task on meanings, `st_fr_en` and so on; for `asr` the text is to be copied."""
    from sacrebleu import BLEU

    scores = {}
    for task, source, target in TASKS:
        texts = [render(meaning, source) for meaning in meanings]
        references = [render(meaning, target) for meaning in meanings]
        hypotheses = translate_texts(model, tokenizer, texts, task, source, target)
        bleu = BLEU(tokenize=language(target).bleu_tokenizer).corpus_score(hypotheses, [references])
        scores[f"{task}_{source}_{target}"] = round(float(bleu.score), 2)
    return scores
