"""The whole workflow on real parts: all 36 pairs with a few clips each, two experiments' worth of organs in one run."""

import csv
import json
import sqlite3
from pathlib import Path
from statistics import mean

import pytest
from sacrebleu import BLEU, CHRF

from llast.config.experiment import DecodingOptions
from llast.corpus.store import AudioStore
from llast.languages import EN_X, PAIRS, X_EN, split_pair
from llast.model.decoding import Request, decode
from llast.release.trained import load
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


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("checkpoint", ["1", "2"])
def test_scores_are_those_of_sacrebleu_over_the_hypotheses(finished: Workplace, checkpoint: str) -> None:
    (wide,) = (
        row for row in read_csv(finished.folder / "results/bleu_table.csv") if row["checkpoint"] == checkpoint
    )
    tidy = {
        (row["split"], row["pair"], row["metric"]): float(row["value"])
        for row in read_csv(finished.folder / "results/scores.csv")
        if row["checkpoint"] == checkpoint
    }
    bleu = {}
    for pair in PAIRS:
        source, target = split_pair(pair)
        tokenizer = {"zh-CN": "zh", "ja": "ja-mecab"}.get(target, "13a")
        for split in ("dev", "test"):
            rows = read_hypotheses(finished, checkpoint, source, f"{pair}.{split}.jsonl")
            texts = [row["hypothesis"] for row in rows], [[row["reference"] for row in rows]]
            bleu[pair] = BLEU(tokenize=tokenizer).corpus_score(*texts).score
            assert tidy[split, pair, "bleu"] == pytest.approx(bleu[pair], abs=6e-5)
            lower = BLEU(tokenize=tokenizer, lowercase=True).corpus_score(*texts).score
            assert tidy[split, pair, "bleu_lc"] == pytest.approx(lower, abs=6e-5)
            assert tidy[split, pair, "chrf2"] == pytest.approx(CHRF().corpus_score(*texts).score, abs=6e-5)
        assert float(wide[pair]) == pytest.approx(bleu[pair], abs=6e-3)
    assert len(set(bleu.values())) > 10, "hypotheses differ, and so do scores"
    for name, pairs in (("avg_x_en", X_EN), ("avg_en_x", EN_X)):
        assert float(wide[name]) == pytest.approx(mean(bleu[pair] for pair in pairs), abs=6e-3)


def test_the_chosen_checkpoint_is_the_better_one_into_english_on_dev(finished: Workplace) -> None:
    rows = read_csv(finished.folder / "results/bleu_table.csv")
    assert [(row["checkpoint"], row["step"]) for row in rows] == [("1", "2"), ("2", "4")]
    on_dev = {
        checkpoint: mean(
            float(row["value"])
            for row in read_csv(finished.folder / "results/scores.csv")
            if (row["checkpoint"], row["split"], row["metric"]) == (checkpoint, "dev", "bleu")
            and row["pair"] in X_EN
        )
        for checkpoint in "12"
    }
    assert [row["checkpoint"] for row in rows if row["chosen"] == "true"] == [
        max(on_dev, key=on_dev.__getitem__)
    ]


@pytest.mark.parametrize("checkpoint", ["1", "2"])
def test_hypotheses_are_what_the_checkpoint_says_of_the_clip(
    finished: Workplace, checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)  # the bases are named from here
    model, processor = load(Path("results/tiny/seed1"), int(checkpoint))
    options = DecodingOptions(num_beams=1, max_new_tokens=16)
    for source, pairs in (("ja", ["ja_en"]), ("fr", ["fr_en"]), ("en", EN_X)):
        audio = AudioStore.open(Path(f"resources/tiny36/resample/{source}/summary.json"))
        written = {
            pair: read_hypotheses(finished, checkpoint, source, f"{pair}.test.jsonl") for pair in pairs
        }
        for number, row in enumerate(written[pairs[0]]):
            requests = [Request("st", source, split_pair(pair)[1]) for pair in pairs]
            said = decode(model, processor, [audio.samples(row["clip"])], [requests], options)
            assert [of_pair[number]["hypothesis"] for of_pair in written.values()] == said[0]


def read_hypotheses(finished: Workplace, checkpoint: str, source: str, name: str) -> list[dict[str, str]]:
    path = finished.folder / f"results/tiny/seed1/decode/checkpoint{checkpoint}/{source}/{name}"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_tidy_scores_name_their_signatures(finished: Workplace) -> None:
    rows = read_csv(finished.folder / "results/scores.csv")
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
    for caption in ("marks those that stand for their runs", "a row per number", "It needs no"):
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
