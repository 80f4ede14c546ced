"""The model: one clip with many rows equals separate rows; adapters survive saving; generation by batch."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from llast.config.experiment import LoraOptions
from llast.model.lora import add_adapters, load_adapters, save_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor, pad_audio
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

LORA = LoraOptions(rank=4, alpha=8)


def build(bases: Path, stack: int = 4, window: str = "clip") -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", window, stack, "llama2", torch.float32
    )


def shake(model: torch.nn.Module) -> None:
    """LoRA starts at zero: move every trainable weight, so that it has a part in the result."""
    generator = torch.Generator().manual_seed(1)
    for parameter in trainable_parameters(model):
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)


@pytest.fixture(scope="module")
def rows(base_models: Path, training_rows: tuple[Path, list[Path]]) -> TrainingRows:
    return TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), 4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_shared_clip_equals_separate_rows(
    base_models: Path, rows: TrainingRows, attention: str, recompute: bool, together: bool
) -> None:
    """Both clips in sequences of their own, or in one."""
    model = build(base_models)
    model.encoder.set_attn_implementation(attention)
    model.llm.set_attn_implementation(attention)
    adapted = add_adapters(model, LORA, LORA)
    shake(adapted)
    adapted.train()
    if recompute:
        model.encoder.activation_checkpointing_enable({"use_reentrant": False})
        model.llm.activation_checkpointing_enable({"use_reentrant": False})
    runs: Counter[str] = Counter()
    for part in ("encoder.layers.0", "llm.model.layers.0"):
        attention_of = model.get_submodule(f"{part}.self_attn")
        attention_of.register_forward_pre_hook(lambda *_, part=part: runs.update([part]))
    shared = [Example(int(rows.clip_of_row[row]), (row, row + 1)) for row in (1, 3) if shares(rows, row)]
    assert len(shared) == 2
    separate = [Example(example.clip, (row,)) for example in shared for row in example.rows]

    def loss_and_gradients(examples: list[Example], shared: bool) -> tuple[float, list[torch.Tensor]]:
        """Mean over target tokens, as in training; separate rows go through the LLM's own forward pass."""
        adapted.zero_grad()
        model.packs_rows = shared
        batch = rows.batch(examples, together and shared)
        assert (
            len(batch["input_ids"]) == len(batch["frames"]) == (1 if together and shared else len(examples))
        )
        output = adapted(**batch)
        assert int(output.target_tokens) == rows.target_tokens(examples)
        loss = output.loss / rows.target_tokens(examples)
        loss.backward()
        return float(loss.detach()), [
            p.grad.clone() for p in trainable_parameters(adapted) if p.grad is not None
        ]

    loss, gradients = loss_and_gradients(shared, True)
    assert set(runs.values()) == {2 if recompute else 1}
    assert len(runs) == 2
    expected, expected_gradients = loss_and_gradients(separate, False)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert len(gradients) == len(expected_gradients) == len(trainable_parameters(adapted))
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-5, rtol=0)
        assert (gradient - other).norm() < 1e-5 * other.norm()
        assert other.abs().max() > 0


def shares(rows: TrainingRows, row: int) -> bool:
    return bool(rows.clip_of_row[row] == rows.clip_of_row[row + 1])


def test_loss_is_that_of_the_plain_causal_lm(base_models: Path, rows: TrainingRows) -> None:
    """One row, laid out by hand: BOS, text, audio, text, target, EOS; cross-entropy on target and EOS."""
    model = build(base_models).eval()
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    example = Example(int(rows.clip_of_row[0]), (0,))
    batch = rows.batch([example])
    tokenizer = processor.tokenizer
    before = [1, *tokenizer("[INST] ", add_special_tokens=False).input_ids]
    after = tokenizer(
        "\nPlease translate the French sentence into English. [/INST]", add_special_tokens=False
    ).input_ids
    target = [*tokenizer("the red house and the red house", add_special_tokens=False).input_ids, 2]
    embed = model.llm.get_input_embeddings()
    with torch.no_grad():
        speech = model.embed_audio(batch["samples"], batch["positions"])[0]
        sequence = torch.cat([embed(torch.tensor(before)), speech, embed(torch.tensor(after + target))])
        labels = torch.tensor([-100] * (len(sequence) - len(target)) + target)
        plain = model.llm(inputs_embeds=sequence[None], labels=labels[None]).loss * len(target)
        ours = model(**batch)
    assert int(ours.target_tokens) == len(target)
    assert float(ours.loss) == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize(("encoder", "llm"), [(LORA, LORA), (LORA, None), (None, LORA), (None, None)])
def test_adapters_survive_saving(
    base_models: Path,
    rows: TrainingRows,
    tmp_path: Path,
    encoder: LoraOptions | None,
    llm: LoraOptions | None,
) -> None:
    adapted = add_adapters(build(base_models), encoder, llm)
    names = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert any("adaptor" in name for name in names)
    assert any(".encoder." in name for name in names) == (encoder is not None)
    assert any(".llm." in name for name in names) == (llm is not None)
    shake(adapted)
    save_adapters(adapted, tmp_path)
    saved = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    trained = sum(parameter.numel() for parameter in trainable_parameters(adapted))
    assert saved < 4 * trained + 50_000, "the folder must not hold the bases"
    batch = rows.batch([Example(0, (0,))])
    adapted.eval()
    with torch.no_grad():
        expected = adapted(**batch).loss
        fresh = build(base_models)
        next(fresh.adaptor.parameters()).data.zero_()
        loaded = load_adapters(fresh, tmp_path).eval()(**batch).loss
    torch.testing.assert_close(loaded, expected, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_generation_by_batch_equals_one_by_one(base_models: Path, rows: TrainingRows, beams: int) -> None:
    model = build(base_models)
    shake(model.requires_grad_(True))
    model.eval()
    random = np.random.default_rng(3)
    clips = [(0.1 * random.standard_normal(length)).astype(np.float32) for length in (16_000, 5_000)]
    processor = LlastProcessor.from_llm(base_models / "llama", "llama2")
    kinds = [(0, "en"), (1, "en"), (1, "de")]
    prompts = [processor.prompt_ids("st", "fr", target) for _, target in kinds]

    def run(chosen: list[int]) -> list[list[int]]:
        used = sorted({kinds[row][0] for row in chosen})
        samples, positions = pad_audio([clips[clip] for clip in used])
        output = model.generate(
            samples,
            positions,
            torch.tensor([used.index(kinds[row][0]) for row in chosen]),
            [torch.tensor(prompts[row][0]) for row in chosen],
            [torch.tensor(prompts[row][1]) for row in chosen],
            num_beams=beams,
            max_new_tokens=8,
            min_new_tokens=8,
            eos_token_id=2,
            pad_token_id=2,
        )
        return output.tolist()

    assert run([0, 1, 2]) == run([0]) + run([1]) + run([2])
