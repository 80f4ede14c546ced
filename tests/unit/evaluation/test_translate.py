"""The step translate on a tiny trained run: files, counts, resumption."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llast.artifacts import Summary, read_summary
from llast.config.experiment import DecodingOptions
from llast.config.steps import Machine, TrainSpec, TranslateOptions
from llast.errors import DataError
from llast.evaluation import translate as module
from llast.evaluation.translate import translate
from llast.launch.train import launch

PAIR = "fr_en"


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
            "seconds": [0.5 if number < 11 else None for number in range(count)],
        }
        pq.write_table(pa.table(rows), folder / f"{PAIR}.{split}.parquet")
    Summary(step="filter", version=1, rows_in=15, rows_out=15).write(folder / "summary.json")
    return folder / "summary.json"


def call(
    base_models: Path, rows: tuple[Path, list[Path]], run: Path, filtered: Path, output: Path, **options: Any
) -> Summary:
    decoding = DecodingOptions(num_beams=1, max_new_tokens=6, batch_tokens=300)
    return translate(
        run,
        options.pop("checkpoint", 1),
        "fr",
        [PAIR],
        filtered,
        rows[1][0],
        base_models / "whisper",
        base_models / "llama",
        output,
        TranslateOptions(decoding=decoding, **options),
        threads=1,
    )


def hypotheses(folder: Path, split: str = "dev") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{PAIR}.{split}.jsonl").read_text().split("\n")[:-1]]


def test_every_row_with_audio_gets_a_hypothesis(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    summary = call(base_models, training_rows, run, filtered, tmp_path)
    assert summary.details["pairs"][PAIR] == {
        "dev": {"rows": 11, "expected": 12, "file": "fr_en.dev.jsonl"},
        "test": {"rows": 3, "expected": 3, "file": "fr_en.test.jsonl"},
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
    assert summary.details["pairs"][PAIR]["dev"]["expected"] == 4
    assert summary.dropped["not selected"] == 8
    assert summary.details["pairs"][PAIR]["test"]["expected"] == 3


def test_an_interrupted_step_goes_on_after_its_last_part(
    base_models: Path,
    training_rows: tuple[Path, list[Path]],
    run: Path,
    filtered: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call(base_models, training_rows, run, filtered, tmp_path / "whole")
    generate = module._generate
    batches = 0

    def stop_after_two(*arguments: Any) -> list[str]:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise KeyboardInterrupt
        return generate(*arguments)

    monkeypatch.setattr(module, "_generate", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        call(base_models, training_rows, run, filtered, tmp_path / "cut")
    assert not (tmp_path / "cut" / "summary.json").exists()
    call(base_models, training_rows, run, filtered, tmp_path / "cut")
    monkeypatch.undo()
    assert hypotheses(tmp_path / "cut") == hypotheses(tmp_path / "whole")
    done_before, all_batches = 2, batches - 1
    assert all_batches > done_before
    total = len(list(module._batches(module._rows(filtered, [PAIR], TranslateOptions())[0], 4, _options())))
    assert all_batches == total, "no batch was decoded twice"


def _options() -> TranslateOptions:
    return TranslateOptions(decoding=DecodingOptions(num_beams=1, max_new_tokens=6, batch_tokens=300))


def test_a_checkpoint_that_is_not_there(
    base_models: Path, training_rows: tuple[Path, list[Path]], run: Path, filtered: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no checkpoint 7, only 1 to 1"):
        call(base_models, training_rows, run, filtered, tmp_path, checkpoint=7)
    assert read_summary(filtered).rows_out == 15
