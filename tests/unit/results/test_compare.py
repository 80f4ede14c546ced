"""Paired bootstrap between two experiments, and what the table makes of it."""

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llast.artifacts.comparison import Comparison
from llast.errors import DataError
from llast.results.compare import compare, holm
from llast.results.table import table

PAIRS = ("fr_en", "de_en", "en_ja")


@pytest.fixture(scope="module")
def both(results: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`good` is better than `plain` at every checkpoint; `plain` trained on one pair only."""
    return results(tmp_path_factory.mktemp("both"), PAIRS, {"good": PAIRS, "plain": PAIRS[:1]}, rows=60)


def compared(both: Any, experiment: str, baseline: str, **more: Any) -> Comparison:
    output = both.folder / f"{experiment}.json"
    return compare(experiment, baseline, both.runs, both.scores, both.samples, output, **more)


def test_sacrebleu_command_line_finds_the_same(both: Any, tmp_path: Path) -> None:
    result = compared(both, "good", "plain")
    assert Comparison.read(both.folder / "good.json") == result
    found = result.pairs["fr_en"]
    texts: dict[str, str] = {}
    for name, checkpoint in (("good", result.checkpoint), ("plain", result.baseline.checkpoint)):
        folder = both.folder / name / "seed1" / "decode" / f"checkpoint{checkpoint}" / "fr"
        records = [json.loads(line) for line in (folder / "fr_en.test.jsonl").read_text().splitlines()]
        texts[name] = "".join(record["hypothesis"] + "\n" for record in records)
        texts["reference"] = "".join(record["reference"] + "\n" for record in records)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "sacrebleu", "reference", "-i", "plain", "good", "-m", "bleu"]
    command += ["--paired-bs", "--paired-bs-n", "1000", "-f", "json", "-w", "6"]
    environment = {key: value for key, value in os.environ.items() if key != "SACREBLEU_SEED"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    plain, good = json.loads(done.stdout)
    assert found.baseline_bleu == pytest.approx(plain["BLEU"]["score"], abs=1e-5)
    assert found.bleu == pytest.approx(good["BLEU"]["score"], abs=1e-5)
    assert found.p == pytest.approx(good["BLEU"]["p_value"], abs=1e-5)


def test_only_trained_pairs_are_compared_and_corrected_for(both: Any) -> None:
    result = compared(both, "good", "plain")
    assert list(result.pairs) == list(PAIRS)
    assert "3 pairs" in result.correction
    for pair in result.pairs.values():
        assert pair.difference == pytest.approx(pair.bleu - pair.baseline_bleu)
        assert pair.p_holm == pytest.approx(min(1, 3 * pair.p), abs=1e-9), "all p are equal here"
        assert pair.rows == 60
        assert pair.significant, "a difference of many points over 60 rows"
    assert list(compared(both, "plain", "good").pairs) == ["fr_en"]


def test_the_same_every_time_and_in_either_number_of_processes(both: Any) -> None:
    assert compared(both, "good", "plain", workers=2) == compared(both, "good", "plain")


def test_no_difference_is_not_significant(both: Any) -> None:
    """An experiment against a copy of itself under another name."""
    text = both.runs[0].read_text().replace('"good"', '"twin"')
    run = both.folder / "twin.run.json"
    run.write_text(text)
    scores, translated = [], []
    for number, path in enumerate(p for p in both.scores if "/good/" in str(p)):
        scores.append(both.folder / f"twin.{number}.json")
        scores[-1].write_text(path.read_text().replace('"good"', '"twin"'))
    for path in (p for p in both.samples if "/good/" in str(p)):
        copy = path.with_name("twin.json")
        copy.write_text(path.read_text().replace('"good"', '"twin"'))
        translated.append(copy)
    own = [[p for p in paths if "/good/" in str(p)] for paths in (both.scores, both.samples)]
    result = compare(
        "twin", "good", [run, both.runs[0]], [*scores, *own[0]], [*translated, *own[1]], both.folder / "t.json"
    )  # fmt: skip
    for pair in result.pairs.values():
        assert (pair.difference, pair.significant) == (0, False)


def test_other_runs_than_those_two_are_refused(both: Any) -> None:
    with pytest.raises(DataError, match="good and other"):
        compared(both, "good", "other")


def test_holm() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {
        "a": pytest.approx(0.03),
        "c": pytest.approx(0.06),
        "b": pytest.approx(0.06),
    }
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
    draw = random.Random(1)
    values = {str(i): draw.random() for i in range(36)}
    assert all(values[name] <= corrected <= 1 for name, corrected in holm(values).items())


def test_the_table_marks_what_is_more_than_chance(both: Any, tmp_path: Path) -> None:
    compared(both, "good", "plain")
    compared(both, "plain", "good")
    comparisons = [both.folder / "good.json", both.folder / "plain.json"]
    table(both.runs, both.scores, tmp_path, comparisons)
    text = (tmp_path / "bleu_table.md").read_text()
    french = next(line for line in text.splitlines() if line.startswith("| fr→en"))
    good, plain = french.split("|")[2:4]
    assert "▲" in good
    assert "▼" in plain
    german = next(line for line in text.splitlines() if line.startswith("| de→en"))
    assert "▼" not in german, "plain did not train on it: not compared"
    (note,) = [line for line in text.splitlines() if "Holm" in line and "column of good" in line]
    assert "plain" in note
    assert "3 pairs" in note
    with (tmp_path / "bleu_table.csv").open() as file:
        assert all("▲" not in value for row in csv.DictReader(file) for value in row.values())
