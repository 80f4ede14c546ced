"""What the hypotheses that an interrupted call has left belong to: each thing that they depend on, changed in turn."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from llast.artifacts.corpus import ResampleSummary
from llast.artifacts.run import Run, RunCheckpoint
from llast.config.evaluation_only import WhisperExperiment
from llast.config.schema import describe
from llast.config.steps import DecodeOptions
from llast.evaluation.decode import parts_key

RUN = Run(
    experiment="one",
    seed=1,
    identity="abc",
    trained_pairs=["fr_en"],
    checkpoints=[RunCheckpoint(checkpoint=1, step=0)],
    options=WhisperExperiment.model_validate({"kind": "whisper", "whisper": {"base": "./whisper"}}),
)
OTHERS: dict[str, Any] = {
    "decoding.num_beams": 2,
    "decoding.max_new_tokens": 2,
    "decoding.average_last": 2,
    "decoding.batch_tokens": 2,
    "dev_rows": 2,
    "test_rows": 2,
    "asr_rows": 2,
    "splits": ["test"],
}
NEITHER = {"decoding.batch_tokens", "dev_rows", "test_rows", "asr_rows", "splits"}
"""How many rows fit, and which rows are asked for, change no hypothesis."""


@pytest.fixture
def inputs(base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path: Path) -> dict[str, Any]:
    """Copies that a test may change."""
    shutil.copytree(base_models, tmp_path / "bases")
    shutil.copytree(training_rows[1][0].parent, tmp_path / "fr")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_model.safetensors").write_bytes(b"weights")
    return {
        "run": RUN,
        "adapter": tmp_path / "adapter",
        "resampled": tmp_path / "fr/summary.json",
        "bases": {"encoder": tmp_path / "bases/whisper", "llm": tmp_path / "bases/llama"},
        "options": DecodeOptions(),
    }


def test_options(inputs: dict[str, Any]) -> None:
    leaves = [key.name for key in describe(DecodeOptions) if "." in key.name or key.name != "decoding"]
    assert sorted(leaves) == sorted(OTHERS), "every option is in the table"
    before = parts_key(**inputs)
    for name, value in OTHERS.items():
        first, _, last = name.rpartition(".")
        nested = {first: {last: value}} if first else {last: value}
        changed = parts_key(**inputs | {"options": DecodeOptions.model_validate(nested)})
        assert (changed == before) is (name in NEITHER), name
    other = RUN.model_copy(update={"identity": "abd"})
    assert parts_key(**inputs | {"run": other}) != before


def test_files(inputs: dict[str, Any]) -> None:
    before = parts_key(**inputs)
    assert parts_key(**inputs) == before
    llm, whisper = inputs["bases"]["llm"], inputs["bases"]["encoder"]
    (llm / "README.md").write_text("words")
    assert parts_key(**inputs) == before, "not of the model"
    for file in (
        inputs["adapter"] / "adapter_model.safetensors",
        llm / "chat_template.jinja",
        llm / "tokenizer.model",
        llm / "vocab.txt",
        llm / "model.safetensors",
        whisper / "config.json",
    ):
        with file.open("ab") as changed:
            changed.write(b" ")
        assert parts_key(**inputs) != before, file
        before = parts_key(**inputs)
    summary = ResampleSummary.read(inputs["resampled"])
    for field, matters in (("store", False), ("audio", True)):
        details = summary.details.model_copy(update={field: "other"})
        summary.model_copy(update={"details": details}).write(inputs["resampled"])
        assert (parts_key(**inputs) != before) is matters, field
