import random

import pytest
import torch

from llast.demo.grammar import LANGUAGES, render, sample_meanings
from llast.model.processing import LlastProcessor
from tools.demo_bases.text import (
    EOS,
    IGNORED,
    TASKS,
    collate,
    draw_rows,
    encode,
    prompt_ids,
    spoken_frames,
    train_tokenizer,
    written_frames,
)

MEANINGS = sample_meanings("train", 200, 1)
TOKENIZER = train_tokenizer([render(meaning, lang) for meaning in MEANINGS for lang in LANGUAGES], 900)


@pytest.mark.parametrize("task", TASKS)
def test_prompts_are_those_of_training(task: tuple[str, str, str]) -> None:
    assert prompt_ids(TOKENIZER, *task) == LlastProcessor(TOKENIZER, "llama2").prompt_ids(*task)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_spoken_frames_keep_the_order_of_tokens_and_their_time(seed: int) -> None:
    tokens = list(range(100, 115))
    frames = spoken_frames(tokens, random.Random(seed))
    assert 0.75 * len(tokens) < len(frames) < 3 * len(tokens)
    loudest = [frame.tokens[0] for frame in frames if frame.weights[0] > 0]
    assert loudest == sorted(loudest)
    assert {token for frame in frames for token in frame.tokens} <= set(tokens)
    heard = {token for frame in frames for token, weight in zip(*vars(frame).values(), strict=True) if weight}
    assert len(heard) >= len(tokens) - 3
    assert all(1 >= frame.weights[0] >= frame.weights[1] >= 0 for frame in frames)


def test_a_batch_holds_prompt_source_and_target_with_loss_on_the_target() -> None:
    rows = draw_rows(TOKENIZER, MEANINGS, 30, 0.5, random.Random(1))
    assert {row.spoken for row in rows} == {True, False}
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(len(TOKENIZER), 8)
    batch = collate(rows, embedding, torch.Generator().manual_seed(1))
    for number, row in enumerate(rows):
        length = len(row)
        assert batch["attention_mask"][number].tolist() == [1] * length + [0] * (
            batch["labels"].shape[1] - length
        )
        labels = batch["labels"][number]
        assert labels[labels != IGNORED].tolist() == row.target
        assert row.target[-1] == EOS
        assert labels[length - 2] == EOS, "the position before the last one has to predict the end"
        ids = torch.tensor([*row.before, *(frame.tokens[0] for frame in row.source), *row.after, *row.target])
        same = (batch["inputs_embeds"][number, :length] == embedding(ids)).all(1)
        source = slice(len(row.before), len(row.before) + len(row.source))
        assert not same[source].any() if row.spoken else same[source].all()
        same[source] = True
        assert same.all(), "only a spoken source is disturbed"


def test_written_sources_are_the_text() -> None:
    ids = encode(TOKENIZER, "The boy sees a dog.")
    assert [(frame.tokens[0], frame.weights) for frame in written_frames(ids)] == [
        (i, (1.0, 0.0)) for i in ids
    ]
