"""The whole workflow on real parts: all 36 pairs with a few clips each, two experiments' worth of organs in one run."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest

from llast.languages import PAIRS
from tests.workflow.conftest import Workplace

RESULTS = ("results/bleu_table.csv", "results/report.html", "results/track.json")
CONFIG = ("--configfile", "tests/workflow/config36/config.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = Workplace(tmp_path_factory.mktemp("dag36"))
    result = place.snakemake(
        "--cores", "2", "--quiet", "host", "reason", *CONFIG, "--", *RESULTS, timeout=1500
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return place


def test_every_pair_has_a_score_of_every_checkpoint(finished: Workplace) -> None:
    with (finished.folder / "results/bleu_table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["checkpoint"] for row in rows] == ["1", "2"]
    assert [row["step"] for row in rows] == ["2", "4"]
    for row in rows:
        assert all(0 <= float(row[pair]) <= 100 for pair in PAIRS)
        assert all(
            row[name] for name in ("avg_x_en", "avg_en_x", "avg_x_en_6", "avg_high", "avg_mid", "avg_low")
        )
    assert sorted(row["chosen"] for row in rows) == ["false", "true"]


def test_tidy_scores_name_their_signatures(finished: Workplace) -> None:
    with (finished.folder / "results/scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tokenizers = {
        row["pair"]: row["signature"].split("tok:")[1].split("|")[0]
        for row in rows
        if row["metric"] == "bleu"
    }
    assert set(tokenizers) == set(PAIRS)
    assert tokenizers["en_zh-CN"] == "zh"
    assert tokenizers["en_ja"].startswith("ja-mecab")
    assert tokenizers["fr_en"] == "13a"
    assert {(row["split"], row["checkpoint"]) for row in rows} == {
        (s, c) for s in ("dev", "test") for c in "12"
    }


def test_rows_add_up_through_every_step(finished: Workplace) -> None:
    summaries = [json.loads(path.read_text()) for path in finished.folder.rglob("summary.json")]
    steps = {summary["step"] for summary in summaries}
    assert steps == {"synthesize", "fetch", "resample", "join", "filter", "mix", "decode"}
    for summary in summaries:
        assert summary["rows_in"] == summary["rows_out"] + sum(summary["dropped"].values())
    mixed = next(summary for summary in summaries if summary["step"] == "mix")
    st, asr = (mixed["details"]["tasks"][task]["rows"] for task in ("st", "asr"))
    assert asr == 22 * 4, "recognition rows: each clip once, English too"
    assert st == 36 * 4


def test_hypotheses_are_as_many_as_rows(finished: Workplace) -> None:
    files = list(finished.folder.glob("results/tiny/seed1/decode/checkpoint*/*/*_*.test.jsonl"))
    assert len(files) == 2 * 36
    assert all(path.read_text().count("\n") == 2 for path in files)


def test_report_and_runs_are_there(finished: Workplace) -> None:
    page = (finished.folder / "results/report.html").read_text()
    assert "Pairs: 36" in page
    assert "Synthetic speech" in page
    assert page.count("<svg") >= 3
    track = json.loads((finished.folder / "results/track.json").read_text())
    assert track["status"] != "pending"
    with sqlite3.connect(finished.folder / "results/mlflow.db") as database:
        steps = database.execute("select count(*) from metrics where key = 'train/loss'").fetchone()[0]
        pairs = database.execute(
            "select count(distinct key) from metrics where key like 'bleu/%\\_%' escape '\\'"
        )
        assert steps == 4
        assert pairs.fetchone()[0] >= 36


def test_snakemakes_own_report_holds_the_results(finished: Workplace) -> None:
    """Built without network; `tests/browser` would show nothing that is not in the file."""
    result = finished.snakemake(*CONFIG, "--report", "results/workflow.html", "--", *RESULTS)
    assert result.returncode == 0, result.stdout[-2000:]
    page = (finished.folder / "results/workflow.html").read_text(encoding="utf-8")
    for text in (
        "BLEU by pair",
        "Every metric (CSV)",
        "Spread over seeds (CSV)",
        "every configured experiment",
    ):
        assert text in page
    for caption in ("of the checkpoint that dev chose", "a row per number", "It needs no"):
        assert caption in page
    (finished.folder / "results/workflow.html").unlink()


def test_a_second_call_has_nothing_to_do(finished: Workplace) -> None:
    result = finished.snakemake("--cores", "2", *CONFIG, "--", *RESULTS)
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout


def test_the_steps_leave_no_temporary_files(finished: Workplace) -> None:
    stray = [path for root in ("results", "resources") for path in (finished.folder / root).rglob(".*")]
    assert [path for path in stray if not path.name.endswith(".lock")] == []


def test_folders_show_the_way_of_the_data(finished: Workplace) -> None:
    corpus = {path.name for path in (finished.folder / "resources/tiny36").iterdir()}
    assert {"synthesize", "fetch", "resample", "join", "filter"} <= corpus
    run = {path.name for path in Path(finished.folder / "results/tiny/seed1").iterdir()}
    assert run == {"mix", "train", "decode", "score"}
