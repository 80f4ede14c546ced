"""The demo's language model: a Llama of three layers that can copy and translate the grammar's sentences.

It reads LLaST's prompt with the source text where training later puts the audio. Part of the rows have their source
split into smaller pieces, stretched and blurred, so that what the adaptor sends, frames rather than words, is not
altogether foreign to it.
"""

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
    steps: int = 4000
    rows: int = 64
    peak_rate: float = 2e-3
    share_blurred: float = 0.5


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
class Row:
    """Token ids of a training row; those of `source` may be blurred."""

    before: list[int]
    source: list[int]
    after: list[int]
    target: list[int]
    blurred: bool

    def __len__(self) -> int:
        return len(self.before) + len(self.source) + len(self.after) + len(self.target)


def draw_rows(
    tokenizer: PreTrainedTokenizerFast,
    meanings: Sequence[Meaning],
    count: int,
    share_blurred: float,
    rng: random.Random,
) -> list[Row]:
    """Random tasks of random meanings. Blurred sources are cut into smaller pieces, which then repeat or vanish."""
    pieces = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    around = {task: prompt_ids(tokenizer, *task) for task in TASKS}
    weights = [2 if task[0] == "st" else 1 for task in TASKS]
    rows = []
    for task in rng.choices(TASKS, weights, k=count):
        meaning = meanings[int(rng.random() * len(meanings))]
        text, translation = render(meaning, task[1]), render(meaning, task[2])
        blurred = rng.random() < share_blurred
        if blurred:
            pieces.model.dropout = 0.4 * rng.random()
            repeat, skip = 0.6 * rng.random(), 0.06 * rng.random()
            source = [
                token
                for token in pieces.encode(text, add_special_tokens=False).ids
                if rng.random() >= skip
                for _ in range(1 + (rng.random() < repeat) + (rng.random() < repeat / 3))
            ]
        else:
            source = encode(tokenizer, text)
        rows.append(
            Row(around[task][0], source, around[task][1], [*encode(tokenizer, translation), EOS], blurred)
        )
    return rows


def collate(
    rows: Sequence[Row], embedding: torch.nn.Module, blur: torch.Generator
) -> dict[str, torch.Tensor]:
    """Embeddings, attention mask and labels (of the next token) of a batch, padded on the right.

    The sources of blurred rows are mixed with their neighbours and get noise of up to the embedding's own scale.
    """
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), EOS)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    soft = torch.zeros(len(rows), longest, 1)
    for number, row in enumerate(rows):
        tokens = row.before + row.source + row.after + row.target
        ids[number, : len(tokens)] = torch.tensor(tokens)
        mask[number, : len(tokens)] = 1
        labels[number, len(tokens) - len(row.target) - 1 : len(tokens) - 1] = torch.tensor(row.target)
        if row.blurred:
            soft[number, len(row.before) : len(row.before) + len(row.source)] = 1
    embedded = embedding(ids)
    neighbours = 0.5 * (embedded.roll(1, 1) + embedded.roll(-1, 1))
    mixed = torch.rand(len(rows), 1, 1, generator=blur) * 0.3
    noise = torch.randn(embedded.shape, generator=blur) * embedded.detach().std()
    strength = torch.rand(len(rows), 1, 1, generator=blur) * 0.5
    embedded = embedded + soft * (mixed * (neighbours - embedded) + strength * noise)
    return {"inputs_embeds": embedded, "attention_mask": mask, "labels": labels}


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
    rng, blur = random.Random(seed), torch.Generator().manual_seed(seed)
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
    queue: list[list[Row]] = []
    loss_sum = 0.0
    for step in progress(range(options.steps), "language model", total=options.steps, unit="step"):
        if not queue:
            rows = draw_rows(tokenizer, meanings, 50 * options.rows, options.share_blurred, rng)
            queue = list(batches(rows, options.rows, rng))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps, options.peak_rate)
        batch = collate(queue.pop(), model.get_input_embeddings(), blur)
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
