"""LLMs held in 4 bit. The quantised layers are bitsandbytes' own; its CPU code stands for the GPU's here."""

from pathlib import Path

import pytest
import torch

from llast.config.experiment import LoraOptions
from llast.errors import ConfigError
from llast.model import modeling
from llast.model.lora import add_adapters, load_adapters, save_adapters, trainable_parameters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example


def build(bases: Path, load_in_4bit: bool = True) -> LlastForConditionalGeneration:
    torch.manual_seed(0)
    return LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", "clip", 4, "llama2", torch.float32, load_in_4bit
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_is_a_message(base_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"llm\.load_in_4bit"):
        build(base_models)


def test_adapters_are_trained_on_4_bit_weights_and_laid_on_them_again(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bitsandbytes = pytest.importorskip(
        "bitsandbytes", reason="llm.load_in_4bit needs pip install 'llast[gpu]'"
    )
    monkeypatch.setattr(
        modeling, "_load_llm", lambda folder, dtype, _: modeling._load_4bit(folder, dtype, "cpu")
    )
    # A faster way on some CPUs, which wants layers wider than those of the tests.
    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: False)
    model = build(base_models)
    held = [m for m in model.llm.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(held) == 14, "seven layers in each of two blocks"
    assert {layer.weight.dtype for layer in held} == {torch.uint8}
    adapted = add_adapters(model, LoraOptions(rank=2, alpha=4), LoraOptions(rank=4, alpha=8))
    rows = TrainingRows(*training_rows, LlastProcessor.from_llm(base_models / "llama", "llama2"), 4)
    batch = rows.batch([Example(0, (0,))])
    generator = torch.Generator().manual_seed(1)
    for parameter in trainable_parameters(adapted):
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    adapted.eval()
    loss = adapted(**batch).loss
    loss.backward()
    assert all(parameter.grad is not None for parameter in trainable_parameters(adapted))
    assert not any(
        name.endswith("base_layer.weight") for name, p in adapted.named_parameters() if p.requires_grad
    )
    save_adapters(adapted, tmp_path)
    trained = sum(parameter.numel() for parameter in trainable_parameters(adapted))
    assert sum(file.stat().st_size for file in tmp_path.glob("*.safetensors")) < 4 * trained + 50_000
    loaded = load_adapters(build(base_models), tmp_path).eval()
    assert isinstance(loaded, LlastForConditionalGeneration)
    with torch.no_grad():
        again = loaded(**batch).loss
    torch.testing.assert_close(again, loss.detach(), atol=1e-4, rtol=1e-5)
    monkeypatch.undo()
    with torch.no_grad():
        whole = load_adapters(build(base_models, load_in_4bit=False), tmp_path).eval()(**batch).loss
    assert abs(float(whole) - float(loss)) > 1e-3, "4 bit rounds the base"
