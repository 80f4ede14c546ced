"""The step decode on a tiny trained run: files, counts, resumption."""

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llast.artifacts import Summary
from llast.artifacts.summaries import DecodeSummary, Hypotheses
from llast.config.experiment import DecodingOptions
from llast.config.steps import DecodeOptions, Machine, TrainSpec
from llast.corpus.store import AudioStore
from llast.errors import DataError
from llast.evaluation.decode import decode
from llast.evaluation.score import score
from llast.launch.train import launch

pytestmark = pytest.mark.slow

PAIR = "fr_en"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def run(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("run") / "run.json"
    options = TrainSpec.model_validate(
        {
            "encoder": {"base": "./whisper", "window": "clip", "lora": {"rank": 4, "alpha": 8}},
            "adaptor": {"stack": 4},
            "llm": {"base": "./llama"},
            "mixture": {"pairs": [PAIR]},
            "training": {"max_steps": 2, "rows_per_update": 4, "precision": "float32"},
        }
    )
    launch(
        "tiny", 1, *training_rows, base_models / "whisper", base_models / "llama", output, options, Machine()
    )
    return output


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 dev rows, the last without audio, and 3 test rows."""
    folder = tmp_path_factory.mktemp("filter") / "fr"
    folder.mkdir()
    for split, count in (("dev", 12), ("test", 3)):
        rows = {
            "clip": [f"clip{number:02d}" for number in range(count)],
            "sentence": [f"phrase\u2028{number}" for number in range(count)],
            "translation": [f"sentence {number}" for number in range(count)],
            "client_id": ["a"] * count,
            "seconds": [31.0 if number == 10 else 0.5 if number < 11 else None for number in range(count)],
        }
        pq.write_table(pa.table(rows), folder / f"{PAIR}.{split}.parquet")
    Summary(step="filter", version=1, rows_in=15, rows_out=15).write(folder / "summary.json")
    return folder / "summary.json"


def call(
    base_models: Path, rows: tuple[Path, list[Path]], run: Path, filtered: Path, output: Path, **options: Any
) -> DecodeSummary:
    average = options.pop("average_last", 1)
    decoding = DecodingOptions(num_beams=1, max_new_tokens=6, batch_tokens=200, average_last=average)
    return decode(
        run,
        options.pop("checkpoint", 1),
        "fr",
        [PAIR],
        filtered,
        rows[1][0],
        {"encoder": base_models / "whisper", "llm": base_models / "llama"},
        output,
        DecodeOptions(decoding=decoding, **options),
        threads=1,
    )


def hypotheses(folder: Path, split: str = "dev", name: str = PAIR) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.{split}.jsonl").read_text().split("\n")[:-1]]


def test_every_row_with_audio_gets_a_hypothesis(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    run: Path,
    filtered: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    summary = call(base_models, training_rows, run, filtered, tmp_path)
    said = capfd.readouterr().err
    assert "longer than 30 s: 1" in said
    assert "11/11" in said
    assert "clip/s" in said, "progress"
    assert summary.details.pairs[PAIR] == {
        "dev": Hypotheses(rows=11, expected=12, file="fr_en.dev.jsonl"),
        "test": Hypotheses(rows=3, expected=3, file="fr_en.test.jsonl"),
    }
    assert summary.dropped == {"no audio": 1}
    records = hypotheses(tmp_path)
    assert [record["reference"] for record in records] == [f"sentence {number}" for number in range(11)]
    assert records[3]["sentence"] == "phrase\u20283"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [], "parts are removed at the end"


def test_a_part_of_the_rows_is_drawn(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    summary = call(base_models, training_rows, run, filtered, tmp_path, dev_rows=4)
    assert summary.details.pairs[PAIR]["dev"].expected == 12, "the set, not what was drawn"
    assert summary.dropped["not selected"] == 8
    assert summary.details.pairs[PAIR]["test"].expected == 3


def test_a_mean_of_checkpoints_is_told_on_to_the_scores(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    """An export of the checkpoint must be of what was scored. Here both checkpoints of the mean are the same."""
    value = json.loads(run.read_text())
    value["checkpoints"].append(value["checkpoints"][0] | {"checkpoint": 2})
    twice = run.with_name("twice.json")
    twice.write_text(json.dumps(value))
    alone = call(base_models, training_rows, twice, filtered, tmp_path / "alone", checkpoint=2)
    mean = call(base_models, training_rows, twice, filtered, tmp_path / "mean", checkpoint=2, average_last=2)
    assert alone.details.average_last == 1
    assert mean.details.average_last == 2
    assert hypotheses(tmp_path / "mean") == hypotheses(tmp_path / "alone")
    assert score([tmp_path / "mean/summary.json"], "test", tmp_path / "score.json").average_last == 2
    assert score([tmp_path / "alone/summary.json"], "test", tmp_path / "score.json").average_last == 1


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from llast.evaluation import decode as module
from tests.unit.evaluation.test_decode import call

module.PART_EVERY_S = 0.0
write = module.write_text
def then_die(path, text):
    write(path, text)
    if path.name == "part-00001.jsonl":
        os.kill(os.getpid(), signal.SIGKILL)
module.write_text = then_die
call(*pickle.loads(bytes.fromhex(sys.argv[1])), asr_rows=5)
"""


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"\0" * len(data) + b"\n",
        lambda data: b'["clip", "st"]\n' + data,
        lambda data: b"\xff\n" + data,
        lambda data: b'["clip", "st", ["en"], 1]\n' + data,
    ],
    ids=["zeros", "short", "bytes", "types"],
)
def test_a_killed_step_goes_on_after_its_last_part_that_is_whole(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    run: Path,
    filtered: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytes], bytes],
) -> None:
    inputs = base_models, training_rows, run, filtered
    call(*inputs, tmp_path / "whole", asr_rows=5)
    arguments = pickle.dumps((*inputs, tmp_path / "cut")).hex()
    killed = subprocess.run([sys.executable, "-c", KILLED, arguments], cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    (parts,) = [path for path in (tmp_path / "cut").iterdir() if path.is_dir()]
    done = {line.split('"')[1] for part in parts.glob("part-*") for line in part.read_text().splitlines()}
    assert 0 < len(done) < 11
    kept = {line.split('"')[1] for line in (parts / "part-00001.jsonl").read_text().splitlines()}
    broken = parts / "part-00000.jsonl"
    broken.write_bytes(damage(broken.read_bytes()))
    assert done - kept, "the broken part has clips of its own"
    done = kept
    (parts / ".part-00002.tmp.jsonl").write_text('["clip', encoding="utf-8")  # what a full stop may leave

    read: list[str] = []
    samples = AudioStore.samples

    def noted(self: AudioStore, clip: str) -> np.ndarray:
        read.append(clip)
        return samples(self, clip)

    monkeypatch.setattr(AudioStore, "samples", noted)
    call(*inputs, tmp_path / "cut", asr_rows=5)
    assert not set(read) & done, "no clip is decoded twice"
    assert len(read) == len(set(read)) == 11 - len(done)
    for name in ("fr_en.dev", "fr_en.test", "fr.asr.dev", "fr.asr.test"):
        whole, cut = ((tmp_path / folder / f"{name}.jsonl").read_text() for folder in ("whole", "cut"))
        assert whole == cut


def test_transcripts_of_some_clips(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    summary = call(base_models, training_rows, run, filtered, tmp_path, asr_rows=5)
    assert summary.details.transcripts == {
        "dev": Hypotheses(rows=4, expected=12, file="fr.asr.dev.jsonl"),
        "test": Hypotheses(rows=3, expected=3, file="fr.asr.test.jsonl"),
    }
    assert (summary.rows_in, summary.rows_out) == (15, 14), "counts are of translations"
    records = hypotheses(tmp_path, "dev", "fr.asr")
    assert {record["task"] for record in records} == {"asr"}
    assert all(record["reference"] == record["sentence"] for record in records)
    assert all(record["seconds"] in (0.5, 31.0) for record in records)
    assert {record["task"] for record in hypotheses(tmp_path)} == {"st"}


def test_a_checkpoint_that_is_not_there(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"run\.json .*\b7\b"):
        call(base_models, training_rows, run, filtered, tmp_path, checkpoint=7)
    assert Summary.read(filtered).rows_out == 15
