"""Published scores: each with its source, none beside ours in another case."""

import csv
import os
from pathlib import Path

import pytest

from llast.errors import ConfigError
from llast.languages import PAIRS
from llast.results.published import CASES, beside_ours, read_published

PUBLISHED = Path(__file__).parents[3] / "config" / "published.csv"


def test_the_shipped_published_scores_are_well_formed() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["system", "pair", "value", "case", "source"]
    for row in rows:
        assert row["pair"] in PAIRS, row
        assert row["case"] in CASES, row
        assert 0 <= float(row["value"]) < 60, row
        assert row["source"], row
    assert len({(row["system"], row["pair"]) for row in rows}) == len(rows)
    llast = {row["pair"]: row for row in rows if row["system"] == "LLaST-8B"}
    assert {pair: float(row["value"]) for pair, row in llast.items()} == {
        "fr_en": 44.1,
        "ja_en": 24.4,
        "de_en": 40.8,
        "zh-CN_en": 23.3,
        "es_en": 45.3,
        "it_en": 42.1,
    }
    assert {row["case"] for row in llast.values()} == {"lower"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("X,fr_en,1.0,upper,me", r"published\.csv:2: case .*'upper'"),
        ("X,fr_de,1.0,cased,me", r"published\.csv:2: .*'fr_de'"),
        ("X,fr_en,1.0,cased,", r"published\.csv:2: .*source"),
        ("X,fr_en,high,cased,me", r"published\.csv:2: .*'high'"),
        ("X,fr_en", r"published\.csv:2: case"),
        ("\xdcbersetzer,fr_en,1.0,cased,me", r"published\.csv .*UTF-8"),
        (f"{'X' * 200_000},fr_en,1.0,cased,me", r"published\.csv .*limit"),
    ],
    ids=lambda text: text[:30],
)
def test_a_line_that_cannot_be_used_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"system,pair,value,case,source\n{line}\n", encoding="latin-1")
    with pytest.raises(ConfigError, match=message):
        read_published(path, ["fr_en"])


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("system,pair,value,source\nX,fr_en,1.0,me\n")
    with pytest.raises(ConfigError, match=r"published\.csv.*\bcase\b"):
        read_published(path, ["fr_en"])


def test_only_scores_of_the_same_case_stand_together() -> None:
    ours = {"ours": {"bleu": {"fr_en": 40.0, "en_id": 1.0}, "bleu_lc": {"fr_en": 41.5}}}
    groups = beside_ours(read_published(PUBLISHED, PAIRS), ours)
    assert list(groups) == ["cased", "lower", "unknown"]
    assert groups["cased"][0].bleu == {"fr_en": 40.0}, "no published system has en_id cased"
    assert groups["lower"][0].bleu == {"fr_en": 41.5}
    assert not any(system.ours for system in groups["unknown"])
    systems = {case: {system.name for system in group} for case, group in groups.items()}
    assert {"LLaST-2B", "LLaST-8B"} <= systems["lower"]
    assert {"SeamlessM4T-large-v2", "Phi-4-MM"} <= systems["cased"]
    assert {"Whisper-large-v2", "Qwen-Audio", "Qwen2-Audio"} <= systems["unknown"]
    llast = next(system for system in groups["lower"] if system.name == "LLaST-8B")
    assert llast.six == pytest.approx((44.1 + 24.4 + 40.8 + 23.3 + 45.3 + 42.1) / 6)
    assert next(system for system in groups["cased"] if system.name == "Canary-1b-v2").six is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "published.csv")
    with pytest.raises(ConfigError, match=r"published\.csv is not a file"):
        read_published(tmp_path / "published.csv", ["fr_en"])
