"""Bases and adapters that are broken, or of another model: found when they are loaded, with what is to blame."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from llast.artifacts import write_json
from llast.config.evaluation_only import CascadeExperiment, WhisperExperiment
from llast.config.experiment import DecodingOptions, LoraOptions
from llast.errors import DataError
from llast.evaluation.systems.base import SystemInputs
from llast.evaluation.systems.cascade import CascadeSystem
from llast.evaluation.systems.whisper import WhisperSystem
from llast.model.decoding import Clip, Request, decode
from llast.model.lora import add_adapters, load_adapters, save_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows

Change = Callable[[Path], None]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def load(bases: Path, template: str = "llama2", lora_on: str = "") -> Any:
    torch.manual_seed(0)
    model = LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", "clip", 4, template, torch.float32
    )
    lora = LoraOptions(rank=2, alpha=2)
    return (
        add_adapters(model, *(lora if part in lora_on else None for part in ("encoder", "llm")))
        if lora_on
        else model
    )


def tensors(file: str, change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    """Change the tensors of a file."""

    def apply(folder: Path) -> None:
        found = load_file(folder / file)
        change(found)
        save_file(found, folder / file, {"format": "pt"})

    return apply


def nan(found: dict[str, torch.Tensor]) -> None:
    list(found.values())[-1].view(-1)[-1] = float("nan")


def cut(file: str, size: int = 2000) -> Change:
    def apply(folder: Path) -> None:
        (folder / file).write_bytes((folder / file).read_bytes()[:size])

    return apply


def keys(file: str, **values: Any) -> Change:
    return lambda folder: write_json(folder / file, json.loads((folder / file).read_text()) | values)


def more_tokens(*tokens: str, **named: Any) -> Change:
    """Tokens that the embeddings have not grown for."""

    def apply(folder: Path) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder / "llama")
        tokenizer.add_special_tokens({"extra_special_tokens": list(tokens)} | named)
        tokenizer.save_pretrained(folder / "llama")

    return apply


WEIGHTS = "model.safetensors"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (more_tokens(eos_token="<|im_end|>"), "<|im_end|>"),
        (keys("llama/generation_config.json", eos_token_id=[2, 9999]), "generation_config.json"),
        (keys("llama/generation_config.json", eos_token_id="2"), "'2'"),
        (cut("llama/generation_config.json", 20), "generation_config.json"),
        (keys("llama/config.json", model_type="of-tomorrow"), "of-tomorrow"),
        (cut("llama/config.json", 20), "llama"),
        (cut(f"llama/{WEIGHTS}"), "llama"),
        (cut(f"whisper/{WEIGHTS}"), "whisper"),
        (tensors(f"llama/{WEIGHTS}", lambda found: found.pop("model.norm.weight")), "model.norm.weight"),
        (tensors(f"whisper/{WEIGHTS}", lambda found: found.pop("model.encoder.conv1.bias")), "conv1.bias"),
        (tensors(f"llama/{WEIGHTS}", nan), "not finite"),
        (tensors(f"whisper/{WEIGHTS}", lambda found: found["model.encoder.conv1.bias"].fill_(torch.inf)), "conv1.bias"),
        (keys("whisper/config.json", max_source_positions=750), "750"),
    ],
)  # fmt: skip
def test_a_base(base_models: Path, tmp_path: Path, change: Change, named: str) -> None:
    bases = shutil.copytree(base_models, tmp_path / "bases")
    change(bases)
    with pytest.raises(DataError) as error:
        load(bases)
    assert str(bases) in str(error.value)
    assert named in str(error.value)
    assert error.value.exit_code == 3


def test_tokens_for_other_uses_may_lie_beyond_the_embeddings(base_models: Path, tmp_path: Path) -> None:
    """As Gemma 3's image token does."""
    bases = shutil.copytree(base_models, tmp_path / "bases")
    more_tokens("<image>")(bases)
    assert load(bases).generation_config.eos_token_id == [2]


@pytest.mark.parametrize(
    ("lora_on", "change", "named"),
    [
        ("llm", tensors("adapter_model.safetensors", lambda found: found.popitem()), "missing"),
        ("llm", tensors("adapter_model.safetensors", nan), "not finite"),
        ("llm", cut("adapter_model.safetensors"), "adapter_model"),
        ("llm", lambda folder: (folder / "adapter_model.safetensors").unlink(), "adapter_model"),
        ("llm", lambda folder: (folder / "adapter_config.json").unlink(), "adapter_config"),
        ("encoder", keys("adapter_config.json", r=3, rank_pattern={}), "(2, 32)"),
        ("", tensors("adaptor.safetensors", lambda found: found.popitem()), "missing"),
        ("", tensors("adaptor.safetensors", nan), "not finite"),
        ("", cut("adaptor.safetensors"), "adaptor.safetensors"),
    ],
)
def test_adapters(base_models: Path, tmp_path: Path, lora_on: str, change: Change, named: str) -> None:
    save_adapters(load(base_models, lora_on=lora_on), tmp_path)
    change(tmp_path)
    with pytest.raises(DataError) as error:
        load_adapters(load(base_models), tmp_path)
    assert str(tmp_path) in str(error.value)
    assert named in str(error.value)


def gpt2(bases: Path, positions: int) -> Path:
    """Bases whose LLM looks up so many positions in a table."""
    config = GPT2Config(n_embd=32, n_layer=1, n_head=4, n_positions=positions, vocab_size=400, eos_token_id=2)
    GPT2LMHeadModel(config).save_pretrained(bases / "llama")
    return bases


def test_a_clip_that_needs_more_positions_than_there_are(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    bases = gpt2(shutil.copytree(base_models, tmp_path / "bases"), 70)
    model, processor = load(bases).eval(), LlastProcessor.from_llm(bases / "llama", "llama2")
    rows = TrainingRows(*training_rows, processor, 4)
    longest = max(rows.length(example) for example in alone(rows))
    rows.check_positions(load(gpt2(bases, longest)).llm)
    with pytest.raises(DataError, match=rf"{bases}/llama .*adaptor\.stack"):
        rows.check_positions(load(gpt2(bases, longest - 1)).llm)

    def said(seconds: float, new_tokens: int) -> str:
        options = DecodingOptions(num_beams=1, max_new_tokens=new_tokens)
        samples = [np.zeros(int(16_000 * seconds), np.float32)]
        return decode(model, processor, samples, [[Request("st", "fr", "en")]], options)[0][0]

    taken = 13 + sum(
        map(len, processor.prompt_ids("st", "fr", "en"))
    )  # 1 s is 50 encoder positions, 4 to one
    said(1, 70 - taken)
    with pytest.raises(DataError, match=r"70 .*max_new_tokens"):
        said(1, 71 - taken)
    with pytest.raises(DataError, match=r"70 .*60\.0 s"):
        said(60, 1)


def alone(rows: TrainingRows) -> list[Any]:
    from llast.training.sampler import Example

    return [Example(int(clip), (row,)) for row, clip in enumerate(rows.clip_of_row)]


def test_all_that_knows_an_end_of_text_has_a_say(base_models: Path, tmp_path: Path) -> None:
    bases = shutil.copytree(base_models, tmp_path / "bases")
    keys("llama/generation_config.json", eos_token_id=[9, 7])(bases)
    assert load(bases).generation_config.eos_token_id == [2, 7, 9]
    keys("llama/generation_config.json", eos_token_id=0)(bases)
    assert load(bases).generation_config.eos_token_id == [0, 2]
    (bases / "llama/generation_config.json").unlink()
    keys("llama/config.json", eos_token_id=5)(bases)
    tokenizer = AutoTokenizer.from_pretrained(bases / "llama")
    tokenizer.add_special_tokens({"extra_special_tokens": ["<0x07>"]})
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "<0x07>")
    tokenizer.save_pretrained(bases / "llama")
    closes = tokenizer.convert_tokens_to_ids("<0x07>")
    model = load(bases, "chat")
    assert model.generation_config.eos_token_id == [2, 5, closes]

    processor = LlastProcessor.from_llm(bases / "llama", "chat")
    model.save_pretrained(tmp_path / "exported")
    processor.save_pretrained(tmp_path / "exported")
    again = LlastProcessor.from_pretrained(tmp_path / "exported")
    for loaded in (processor, again):
        assert loaded.ends == [2, 5, closes]
        ids = loaded.target_ids(["she reads"])[0][:-1]
        assert loaded.decode(torch.tensor([[*ids, end, *ids] for end in loaded.ends])) == ["she reads"] * 3


def test_whisper_is_held_to_the_same(base_models: Path, tmp_path: Path) -> None:
    bases = shutil.copytree(base_models, tmp_path / "bases")
    shutil.copy(bases / "llama/tokenizer.json", bases / "whisper")
    shutil.copy(bases / "llama/tokenizer_config.json", bases / "whisper")
    options = {"kind": "whisper", "whisper": {"base": "./whisper"}, "precision": "float32"}
    experiment = WhisperExperiment.model_validate(options)

    def system() -> WhisperSystem:
        inputs = SystemInputs(None, {"whisper": bases / "whisper"}, DecodingOptions(), torch.device("cpu"))
        return WhisperSystem(experiment, inputs)

    keys("whisper/generation_config.json", eos_token_id=4)(bases)
    assert system().model.generation_config.eos_token_id == [2, 4]
    keys("whisper/generation_config.json", eos_token_id=4000)(bases)
    with pytest.raises(DataError, match=rf"{bases}/whisper.*4000"):
        system()
    cut("whisper/generation_config.json", 20)(bases)
    with pytest.raises(DataError, match=rf"{bases}/whisper.*generation_config"):
        system()
    (bases / "whisper/generation_config.json").write_text("{}")
    keys("whisper/generation_config.json", eos_token_id=4)(bases)
    tensors(f"whisper/{WEIGHTS}", nan)(bases)
    with pytest.raises(DataError, match=f"{bases}/whisper"):
        system()


@pytest.mark.parametrize(("positions", "refused"), [(200, False), (52, True)])
def test_a_cascades_llm_has_to_have_room_for_its_prompt(
    base_models: Path, tmp_path: Path, positions: int, refused: bool
) -> None:
    bases = gpt2(shutil.copytree(base_models, tmp_path / "bases"), positions)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bases / "llama" / name, bases / "whisper")
    options = {"kind": "cascade", "whisper": {"base": "./whisper"}, "precision": "float32"}
    options |= {"llm": {"base": "./llama", "template": "llama2", "prompt": "{text}"}}
    folders = {"whisper": bases / "whisper", "llm": bases / "llama"}
    decoding = DecodingOptions(num_beams=1, max_new_tokens=50)
    inputs = SystemInputs(None, folders, decoding, torch.device("cpu"))
    system = CascadeSystem(CascadeExperiment.model_validate(options), inputs)
    clip = Clip(1.0, lambda: np.zeros(16_000, np.float32), (Request("st", "fr", "en"),))
    if refused:
        with pytest.raises(DataError, match=rf"{bases}/llama has 52 .*max_new_tokens 50"):
            list(system([clip]))
    else:
        assert [len(texts) for batch in system([clip]) for texts in batch.texts] == [1]
