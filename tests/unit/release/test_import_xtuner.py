"""Checkpoints of the released code, made up with the names and shapes that it writes."""

import argparse
import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import llast.cli as cli
from llast.config.experiment import ExperimentConfig, LoraOptions
from llast.config.load import load_trained
from llast.errors import ConfigError, DataError
from llast.model.bases import base_config
from llast.model.configuration import LlastConfig
from llast.model.modeling import LlastForConditionalGeneration
from llast.release.import_xtuner import check, convert, import_xtuner, read_tensors

CONFIG = Path(__file__).parents[3] / "config"
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def lora(path: str, inner: int, outer: int, rank: int) -> Shapes:
    yield f"{path}.lora_A.default.weight", (rank, inner)
    yield f"{path}.lora_B.default.weight", (outer, rank)


def released(llm: dict[str, int], whisper: dict[str, int], llm_rank: int, encoder_rank: int) -> Shapes:
    """Names and shapes as in the state dict of the released code's `LLaSTModel`."""
    width, ffn, key_value = llm["width"], llm["ffn"], llm["key_value"]
    outputs = {"q_proj": width, "k_proj": key_value, "v_proj": key_value, "o_proj": width}
    for layer in range(llm["layers"]):
        path = f"llm.base_model.model.model.layers.{layer}"
        for name, outer in outputs.items():
            yield from lora(f"{path}.self_attn.{name}", width, outer, llm_rank)
        for name, inner, outer in (
            ("gate_proj", width, ffn),
            ("up_proj", width, ffn),
            ("down_proj", ffn, width),
        ):
            yield from lora(f"{path}.mlp.{name}", inner, outer, llm_rank)
    size, inside = whisper["width"], whisper["ffn"]
    for half, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "encoder_attn"])):
        for layer in range(whisper[f"{half}_layers"]):
            path = f"speech_encoder.base_model.model.{half}.layers.{layer}"
            for attention in attentions:
                for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    yield from lora(f"{path}.{attention}.{name}", size, size, encoder_rank)
            yield from lora(f"{path}.fc1", size, inside, encoder_rank)
            yield from lora(f"{path}.fc2", inside, size, encoder_rank)
    for layer, inner in ((0, size), (2, width), (4, width)):
        yield f"projector.model.{layer}.weight", (width, inner)
        yield f"projector.model.{layer}.bias", (width,)


LARGE_V2 = {"width": 1280, "ffn": 5120, "encoder_layers": 32, "decoder_layers": 32}


@pytest.mark.parametrize(
    ("name", "llm", "count"),
    [
        ("llast-2b", {"width": 2048, "ffn": 5632, "key_value": 256, "layers": 22}, 1338),
        ("llast-8b", {"width": 4096, "ffn": 11008, "key_value": 4096, "layers": 32}, 1478),
    ],
)
def test_every_tensor_of_the_released_models_has_its_place(
    name: str, llm: dict[str, int], count: int, tmp_path: Path
) -> None:
    """At full size: tensors of the real shapes that share one number, compared with the model on the meta device."""
    thin = {key: torch.zeros(()).expand(shape) for key, shape in released(llm, LARGE_V2, 512, 128)}
    torch.save({"module": thin}, tmp_path / "mp_rank_00_model_states.pt")
    tensors = read_tensors(tmp_path)
    assert len(tensors) == count
    done = convert(tensors)
    assert done.unknown == []
    assert done.dropped[0] == 640
    assert done.dropped[1] / 1e6 == pytest.approx(136.3, abs=0.05)
    assert done.ranks == {"encoder": 128, "llm": 512}
    one = load_trained(name, CONFIG)
    config = LlastConfig(base_config(one.encoder.base), base_config(one.llm.base))
    assert check(done, config, one.encoder.lora, one.llm.lora, Path("file")) is not None


@pytest.fixture(scope="module")
def experiment(base_models: Path) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "encoder": {"base": f"{base_models}/whisper", "lora": {"rank": 1, "alpha": 3}},
            "llm": {"base": f"{base_models}/llama", "template": "llama2", "lora": {"rank": 1, "alpha": 1}},
            "mixture": {"pairs": ["fr_en"]},
            "training": {"precision": "float32"},
        }
    )


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    """Those of a model on the tests' tiny bases."""
    llm = {"width": 32, "ffn": 64, "key_value": 16, "layers": 2}
    whisper = {"width": 32, "ffn": 64, "encoder_layers": 2, "decoder_layers": 1}
    random = torch.Generator().manual_seed(0)
    shapes = released(llm, whisper, llm_rank=4, encoder_rank=2)
    return {name: 0.1 * torch.randn(shape, generator=random) for name, shape in shapes}


@pytest.mark.parametrize("form", ["module", "state_dict", "plain"])
def test_the_imported_model_has_the_weights_of_the_checkpoint(
    experiment: ExperimentConfig,
    base_models: Path,
    tensors: dict[str, torch.Tensor],
    tmp_path: Path,
    form: str,
) -> None:
    value: Any = (
        tensors
        if form == "plain"
        else {form: OrderedDict(tensors), "ds_version": "0.14", "meta": {"epoch": 1}}
    )
    (tmp_path / "epoch_1.pth").mkdir()
    file = tmp_path / "epoch_1.pth" / "mp_rank_00_model_states.pt"
    torch.save(value, file)
    done = import_xtuner(
        file.parent if form == "module" else file, experiment, tmp_path / "imported", llm_alpha=2
    )
    assert done.dropped == (20, sum(t.numel() for name, t in tensors.items() if ".decoder." in name))
    model = LlastForConditionalGeneration.from_pretrained(tmp_path / "imported")
    base = LlastForConditionalGeneration.from_bases(
        base_models / "whisper", base_models / "llama", "30s", 1, "llama2", torch.float32
    )
    merged, plain = model.state_dict(), base.state_dict()
    for ours, theirs, scale in (
        (
            "llm.model.layers.1.self_attn.k_proj",
            "llm.base_model.model.model.layers.1.self_attn.k_proj",
            2 / 4,
        ),
        ("llm.model.layers.0.mlp.down_proj", "llm.base_model.model.model.layers.0.mlp.down_proj", 2 / 4),
        ("encoder.layers.1.fc1", "speech_encoder.base_model.model.encoder.layers.1.fc1", 3 / 1),
    ):
        a, b = (tensors[f"{theirs}.lora_{half}.default.weight"] for half in "AB")
        expected = plain[f"{ours}.weight"] + scale * b @ a
        torch.testing.assert_close(merged[f"{ours}.weight"], expected, atol=1e-6, rtol=1e-5)
    for layer in (0, 2, 4):
        assert torch.equal(
            merged[f"adaptor.layers.{layer}.weight"], tensors[f"projector.model.{layer}.weight"]
        )
    card = (tmp_path / "imported" / "README.md").read_text()
    assert "6 (rank 2) on the encoder, 2 (rank 4) on the llm" in card
    assert "20 tensors of LoRA on Whisper's decoder" in card


@pytest.mark.parametrize(
    ("rank", "alpha", "given", "found"),
    [(4, 2, None, 2), (2, 4, None, 8), (8, 2, None, 1), (3, 2, None, None), (3, 2, 5, 5), (0, 0, None, None)],
)
def test_alpha_over_rank_is_the_experiments_or_has_to_be_given(
    experiment: ExperimentConfig,
    tensors: dict[str, torch.Tensor],
    tmp_path: Path,
    rank: int,
    alpha: int,
    given: int | None,
    found: int | None,
) -> None:
    """The file's LoRA on the LLM has rank 4."""
    torch.save(tensors, tmp_path / "file.pt")
    lora = LoraOptions(rank=rank, alpha=alpha) if rank else None
    other = experiment.model_copy(update={"llm": experiment.llm.model_copy(update={"lora": lora})})
    if found is None:
        with pytest.raises(ConfigError, match="--llm-alpha"):
            import_xtuner(tmp_path / "file.pt", other, tmp_path / "out", llm_alpha=given)
        return
    import_xtuner(tmp_path / "file.pt", other, tmp_path / "out", llm_alpha=given)
    written = json.loads((tmp_path / "out/adapter/adapter_config.json").read_text())
    assert written["alpha_pattern"]["^llm\\..*"] / written["rank_pattern"]["^llm\\..*"] == found / 4


def test_the_command_says_what_it_left_out(
    experiment: ExperimentConfig,
    tensors: dict[str, torch.Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save(tensors | {"llm.extra.weight": torch.zeros(1)}, tmp_path / "weights.pt")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.yaml").write_text(experiment.model_dump_json(exclude_unset=True))
    arguments = ["--experiment", "tiny", "--config-dir", str(tmp_path), "--output", str(tmp_path / "out")]
    assert cli.main(["import-xtuner", str(tmp_path / "weights.pt"), *arguments]) == 0
    output = capsys.readouterr()
    assert "6 (rank 2) on the encoder, 4 (rank 4) on the llm" in output.err, "the experiment's have rank 1"
    assert "20 tensors (1,408 parameters)" in output.err, "what is left out"
    assert "llm.extra.weight" in output.err, "what stands for nothing here"
    assert output.out == f"{tmp_path / 'out'}\n"


def test_a_file_that_needs_code_is_refused(experiment: ExperimentConfig, tmp_path: Path) -> None:
    """As mmengine writes it, with objects of its own beside the tensors."""
    torch.save({"module": {"a": torch.zeros(1)}, "message_hub": argparse.Namespace()}, tmp_path / "file.pt")
    with pytest.raises(DataError, match=r"argparse\.Namespace.*weights_only=False"):
        import_xtuner(tmp_path / "file.pt", experiment, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [b"no zip", b"RIFF", {"module": {}}, [1, 2], {"module": {"a": 1}}])
def test_files_that_are_no_checkpoint(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "file.pt"
    if isinstance(value, bytes):
        file.write_bytes(value)
    else:
        torch.save(value, file)
    with pytest.raises(DataError, match=str(file)):
        read_tensors(file)
    with pytest.raises(DataError, match=r"mp_rank_00_model_states\.pt"):
        read_tensors(tmp_path)


def test_lora_of_rank_0_is_refused() -> None:
    ((name, shape), _) = lora("llm.base_model.model.model.layers.0.self_attn.q_proj", 32, 32, 0)
    with pytest.raises(DataError, match=r"llm.*rank 0"):
        convert({name: torch.zeros(shape)})


def test_a_checkpoint_that_does_not_fit_names_what_differs(
    experiment: ExperimentConfig, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    del tensors["projector.model.4.bias"]
    tensors["projector.model.0.weight"] = torch.zeros(48, 32)
    torch.save(tensors, tmp_path / "file.pt")
    with pytest.raises(DataError) as error:
        import_xtuner(tmp_path / "file.pt", experiment, tmp_path / "out")
    for part in ("adaptor.layers.0.weight", "(48, 32)", "(32, 32)", "adaptor.layers.4.bias"):
        assert part in str(error.value)
    unknown = experiment.model_copy(
        update={"llm": experiment.llm.model_copy(update={"base": "org/unknown@0123"})}
    )
    with pytest.raises(ConfigError, match=r"llm\.base: .*org/unknown@0123"):
        import_xtuner(tmp_path / "file.pt", unknown, tmp_path / "out")
