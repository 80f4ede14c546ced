"""Files that steps leave have the mode that the umask asks for: a group that shares a folder can read them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from llast.artifacts import write_json
from llast.artifacts.run import RunCheckpoint
from llast.cli.log import tee
from llast.config.experiment import LoraOptions
from llast.model.lora import add_adapters, save_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.release.export import new_folder
from llast.training.averaging import evaluated_adapter
from tests.runs import trained_run


@pytest.fixture(params=[0o002, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_files_follow_the_umask(base_models: Path, tmp_path: Path, umask: int) -> None:
    for name, lora in (("lora", LoraOptions(rank=2, alpha=2)), ("adaptor", None)):
        model = LlastForConditionalGeneration.from_bases(
            base_models / "whisper", base_models / "llama", "clip", 4, "llama2", torch.float32
        )
        adapted = add_adapters(model, lora, lora)
        run = tmp_path / name / "run.json"
        checkpoints = [RunCheckpoint(checkpoint=number, step=number, folder=f"{number}") for number in (1, 2)]
        for number in (1, 2):
            save_adapters(adapted, tmp_path / f"{name}/{number}/adapter")
        trained_run(checkpoints=checkpoints).write(run)
        assert evaluated_adapter(run, 2, 2, tmp_path / name / "mean") == tmp_path / name / "mean"
    with new_folder(tmp_path / "exported") as folder:
        model.save_pretrained(folder)
    write_json(tmp_path / "file.json", {})
    with tee(tmp_path / "log"):
        pass
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 12
    assert sum(path.suffix == ".safetensors" for path in files) == 7
    modes = {str(path.relative_to(tmp_path)): oct(stat.S_IMODE(path.stat().st_mode)) for path in files}
    assert {name: mode for name, mode in modes.items() if mode != oct(0o666 & ~umask)} == {}
    assert os.umask(umask) == umask
