"""Trained models found on disk, and exported as folders that others load."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import llast.cli as cli
from llast.artifacts import read_json, write_json
from llast.artifacts.scores import ScoreFile
from llast.errors import ConfigError, DataError
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.release.export import export
from llast.release.trained import find_checkpoint, load

pytestmark = pytest.mark.slow

CLIP = (0.1 * np.random.default_rng(0).standard_normal(9_000)).astype(np.float32)


def ids(model: LlastForConditionalGeneration, processor: LlastProcessor) -> list[list[int]]:
    inputs = processor([CLIP, CLIP[:4000]], "fr", ["en", "de"])
    return model.generate(**inputs, num_beams=2, max_new_tokens=6, min_new_tokens=6).tolist()


def test_a_run_is_found_by_its_folder_its_checkpoint_by_dev(run: Path) -> None:
    for path in (run, run / "train", run / "train" / "run.json"):
        found = find_checkpoint(path, None)
        assert (found.experiment, found.seed, found.step) == ("tiny", 1, 2), "the first is better on dev"
    assert find_checkpoint(run, 2).step == 4
    by_folder = find_checkpoint(find_checkpoint(run, 2).folder, None)
    assert (by_folder.step, by_folder.spec) == (4, found.spec)
    assert find_checkpoint(by_folder.folder / "adapter", None) == by_folder


def test_what_is_no_model_is_a_message(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        find_checkpoint(tmp_path, None)
    with pytest.raises(DataError, match=r"run\.json .*3.*1, 2"):
        find_checkpoint(run, 3)
    with pytest.raises(DataError, match="--checkpoint"):
        find_checkpoint(find_checkpoint(run, 1).folder, 1)
    half = tmp_path / "checkpoints" / "step-000002"
    (half / "adapter").mkdir(parents=True)
    with pytest.raises(DataError, match=str(half)):
        find_checkpoint(half, None)


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `merged/` and `adapters/`, written by the command."""
    folder = tmp_path_factory.mktemp("exported")
    assert cli.main(["export", "--model", str(run), "--output", str(folder / "merged")]) == 0
    arguments = ["--model", str(run), "--adapters-only", "--output", str(folder / "adapters")]
    assert cli.main(["export", *arguments]) == 0
    return folder


def test_two_lines_load_it_in_a_fresh_process_and_it_says_the_same(run: Path, exported: Path) -> None:
    program = """
import json, os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
from llast import LlastForConditionalGeneration, LlastProcessor
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor
clip = np.load("clip.npy")
for name in ("merged", "adapters"):
    for Model, Processor in (LlastForConditionalGeneration, LlastProcessor), (AutoModelForSpeechSeq2Seq, AutoProcessor):
        model = Model.from_pretrained(name)
        processor = Processor.from_pretrained(name)
        inputs = processor([clip, clip[:4000]], "fr", ["en", "de"])
        print(json.dumps(model.generate(**inputs, num_beams=2, max_new_tokens=6, min_new_tokens=6).tolist()))
"""
    np.save(exported / "clip.npy", CLIP)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=exported, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    expected = ids(*load(run))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [expected] * 4
    assert expected != ids(*load(run, 2)), "the other checkpoint says something else"


def test_adapters_only_are_small_and_can_be_merged_later(exported: Path, tmp_path: Path) -> None:
    files = {str(path.relative_to(exported / "adapters")) for path in (exported / "adapters").rglob("*.*")}
    assert files == {
        "README.md",
        "config.json",
        "llast.json",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }
    export(exported / "adapters", tmp_path / "later")
    merged = LlastForConditionalGeneration.from_pretrained(exported / "merged").state_dict()
    later = LlastForConditionalGeneration.from_pretrained(tmp_path / "later").state_dict()
    assert merged.keys() == later.keys()
    assert all(torch.equal(merged[name], later[name]) for name in merged)
    with pytest.raises(DataError, match="merged"):
        export(exported / "merged", tmp_path / "again")


def test_the_card_has_the_scores_of_the_table_and_the_licences(run: Path, exported: Path) -> None:
    scores = ScoreFile.read(run / "score" / "checkpoint1.test.json").pairs["fr_en"].scored
    bleu, chrf = (f"{scores[name].value:.1f}" for name in ("bleu", "chrf2"))
    assert 0 < float(bleu) < 100
    text = (exported / "merged" / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["language"] == ["en", "fr", "zh"]
    assert "Experiment `tiny`, seed 1, after 2 optimiser steps." in body
    assert f"| fr_en | {bleu} | {bleu} | {chrf} | 2 of 2 |" in body
    assert f"| **avg_x_en** | **{bleu}** |" in body
    assert "de_en" not in body, "a pair that was not trained"
    assert "tok:13a" in body
    assert "French to English, Chinese to English" in body
    assert "not known here; look it up" in body
    assert 'from_pretrained("merged")' in body
    assert "These are adapters" in (exported / "adapters" / "README.md").read_text()
    config = read_json(exported / "merged" / "config.json")
    assert config["bases"] is None
    assert config["dtype"] == "float32"


def test_a_checkpoint_that_was_scored_as_a_mean_is_exported_as_that_mean(run: Path, tmp_path: Path) -> None:
    """The numbers of the card have to be those of the weights beside it."""
    copy = tmp_path / "results" / "seed1"
    shutil.copytree(run, copy)
    for file in (copy / "score").glob("checkpoint2.*.json"):
        write_json(file, read_json(file) | {"average_last": 2})
    export(copy, tmp_path / "mean", checkpoint=2)
    export(copy, tmp_path / "adapters", adapters_only=True, checkpoint=2)
    each = [find_checkpoint(run, number).model(load_in_4bit=False).state_dict() for number in (1, 2)]
    changed = 0
    for name in ("mean", "adapters"):
        found = LlastForConditionalGeneration.from_pretrained(tmp_path / name).state_dict()
        for key, tensor in found.items():
            torch.testing.assert_close(tensor, (each[0][key] + each[1][key]) / 2, atol=1e-5, rtol=1e-5)
            changed += not torch.equal(each[0][key], each[1][key])
        assert "The mean of the last 2 checkpoints" in (tmp_path / name / "README.md").read_text()
    assert changed > 0, "the two checkpoints are the same"
    file = copy / "score" / "checkpoint2.dev.json"
    write_json(file, read_json(file) | {"average_last": 3})
    with pytest.raises(DataError, match=r"decoding\.average_last"):
        find_checkpoint(copy, 2)


def test_an_edited_folder_is_refused_with_file_and_remedy(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, value, named in (("llast.json", {"origin": 1}, "'spec'"), ("config.json", [1], "")):
        copy = tmp_path / file
        shutil.copytree(exported / "adapters", copy)
        write_json(copy / file, value)
        assert cli.main(["export", "--model", str(copy), "--output", str(tmp_path / "new")]) == 3
        error = capsys.readouterr().err
        assert str(copy) in error
        assert named in error
        assert "Traceback" not in error


def test_nothing_is_overwritten_and_nothing_half_is_left(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        export(run, tmp_path)
    with pytest.raises(DataError):
        export(run, tmp_path / "new", checkpoint=9)
    assert list(tmp_path.iterdir()) == []
