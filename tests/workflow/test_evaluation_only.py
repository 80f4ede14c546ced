"""Whisper as it comes, a cascade and an exported model: in the same table, without a training."""

import csv
import json
from pathlib import Path

import pytest
import torch

from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from tests.workflow.conftest import ROOT, Workplace

CONFIG = ("--configfile", "tests/workflow/config_evaluation_only/config.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = Workplace(tmp_path_factory.mktemp("evaluation_only"))
    bases = ROOT / "llast/demo/base_models"
    torch.manual_seed(0)
    model = LlastForConditionalGeneration.from_bases(
        bases / "whisper", bases / "llama", window="clip", stack=4, template="llama2", dtype=torch.float32
    )
    model.save_pretrained(place.folder / "exported")
    LlastProcessor.from_llm(bases / "llama", "llama2").save_pretrained(place.folder / "exported")
    result = place.snakemake("--cores", "2", "--quiet", "host", "reason", *CONFIG, timeout=600)
    assert result.returncode == 0, result.stdout[-4000:]
    return place


def records(place: Workplace, experiment: str, source: str, name: str) -> list[dict[str, str]]:
    folder = place.folder / f"results/{experiment}/seed1/decode/checkpoint1/{source}"
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def test_they_stand_in_the_table_with_what_they_can_do(finished: Workplace) -> None:
    with (finished.folder / "results/bleu_table.csv").open(encoding="utf-8") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["whisper", "cascade", "exported"], "once each, whatever the seeds"
    assert {(row["checkpoint"], row["step"], row["chosen"]) for row in rows.values()} == {("1", "0", "true")}
    assert all(row["fr_en"] for row in rows.values())
    assert (rows["whisper"]["en_de"], rows["whisper"]["avg_en_x"]) == ("", ""), "into English only"
    assert rows["cascade"]["avg_en_x"] == rows["cascade"]["en_de"] != ""
    assert (bool(rows["exported"]["en_de"]), rows["exported"]["avg_en_x"]) == (True, ""), "not trained on"
    page = (finished.folder / "results/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in rows)
    track = json.loads((finished.folder / "results/track.json").read_text())
    assert [run["experiment"] for run in track["runs"]] == list(rows)


def test_the_demos_whisper_hears_what_was_said(finished: Workplace) -> None:
    heard = records(finished, "whisper", "fr", "fr.asr.test.jsonl")
    assert len(heard) == 2
    words = [set(record["reference"].lower().strip(".").split()) for record in heard]
    right = [
        len(set(record["hypothesis"].lower().strip(".").split()) & said) / len(said)
        for record, said in zip(heard, words, strict=True)
    ]
    assert sum(right) / len(right) > 0.6, heard
    assert records(finished, "cascade", "fr", "fr.asr.test.jsonl") == heard, "a cascade hears the same"


def test_a_cascade_translates_what_its_whisper_heard(finished: Workplace) -> None:
    into_german = records(finished, "cascade", "en", "en_de.test.jsonl")
    assert len(into_german) == 3
    shared = [
        len(set(record["hypothesis"].split()) & set(record["reference"].split()))
        / len(record["reference"].split())
        for record in into_german
    ]
    assert sum(shared) / 3 > 0.4, into_german


def test_nothing_is_trained_and_nothing_is_left_to_do(finished: Workplace) -> None:
    assert {path.name for path in Path(finished.folder / "results/whisper").iterdir()} == {"seed1"}
    assert {path.name for path in Path(finished.folder / "results/whisper/seed1").iterdir()} == {
        "describe",
        "decode",
        "score",
    }
    assert "Nothing to be done" in finished.snakemake("--cores", "2", *CONFIG).stdout
