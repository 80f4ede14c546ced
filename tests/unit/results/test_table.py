import csv
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from llast.artifacts import read_json, write_json
from llast.errors import DataError
from llast.results.table import RunScores, read_runs, table
from llast.languages import PAPER_X_EN

PUBLISHED = Path(__file__).parents[3] / "config" / "published.csv"


def write_score(
    folder: Path, experiment: str, checkpoint: int, split: str, bleu: dict[str, float | None], seed: int = 1
) -> Path:
    """A score file with the given cased BLEU by pair; other metrics follow from it."""
    pairs = {
        pair: {
            "bleu": value,
            "bleu_ci95": None if value is None else [value - 1, value + 2],
            "bleu_lc": None if value is None else value + 0.5,
            "chrf2": None if value is None else value + 20,
            "signature": None if value is None else "tok:13a",
            "signature_lc": None if value is None else "case:lc",
            "signature_chrf": None if value is None else "nc:6",
            "rows": 0 if value is None else 98,
            "expected": 98 if pair != "de_en" else 100,
        }
        for pair, value in bleu.items()
    }
    path = folder / f"{experiment}.{seed}.{checkpoint}.{split}.json"
    value = {
        "experiment": experiment,
        "seed": seed,
        "checkpoint": checkpoint,
        "step": 50 * checkpoint,
        "split": split,
    }
    write_json(path, {"step_version": 1, **value, "pairs": pairs})
    return path


class Cells(HTMLParser):
    """Texts of the cells of a page, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def run(
    folder: Path,
    experiment: str,
    trained: Sequence[str],
    dev: list[dict[str, float | None]],
    test: list[dict[str, float | None]],
) -> RunScores:
    """A run with one entry of `dev` and `test` per checkpoint."""
    scores = [write_score(folder, experiment, k, "dev", bleu) for k, bleu in enumerate(dev, 1)]
    scores += [write_score(folder, experiment, k, "test", bleu) for k, bleu in enumerate(test, 1)]
    return RunScores(experiment, 1, trained, scores)


def wide(folder: Path) -> list[dict[str, str]]:
    with (folder / "bleu_table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def chosen(folder: Path) -> list[str]:
    return [row["checkpoint"] for row in wide(folder) if row["chosen"] == "true"]


def test_dev_chooses_even_where_test_would_choose_otherwise(tmp_path: Path) -> None:
    dev: list[dict[str, float | None]] = [{"fr_en": 20.0}, {"fr_en": 30.0}, {"fr_en": 25.0}]
    test: list[dict[str, float | None]] = [{"fr_en": 50.0}, {"fr_en": 10.0}, {"fr_en": 40.0}]
    table([run(tmp_path, "a", ["fr_en"], dev, test)], tmp_path)
    assert chosen(tmp_path) == ["2"]
    assert "10.0" in (tmp_path / "bleu_table.md").read_text().split("## Every checkpoint")[0]


def test_only_trained_pairs_into_english_choose(tmp_path: Path) -> None:
    dev: list[dict[str, float | None]] = [
        {"fr_en": 30.0, "de_en": 1.0, "en_de": 1.0},
        {"fr_en": 20.0, "de_en": 90.0, "en_de": 90.0},
    ]
    table([run(tmp_path, "a", ["fr_en", "en_de"], dev, dev)], tmp_path)
    assert chosen(tmp_path) == ["1"]
    table([run(tmp_path, "b", ["en_de"], dev, dev)], tmp_path)  # no pair into English: out of it
    assert chosen(tmp_path) == ["2"]


def test_the_earlier_of_equals_and_the_last_without_dev(tmp_path: Path) -> None:
    equal: list[dict[str, float | None]] = [{"fr_en": 20.0}, {"fr_en": 20.0}]
    table([run(tmp_path, "a", ["fr_en"], equal, equal)], tmp_path)
    assert chosen(tmp_path) == ["1"]
    nothing: list[dict[str, float | None]] = [{"fr_en": None}, {"fr_en": None}]
    table([run(tmp_path, "b", ["fr_en"], nothing, equal)], tmp_path)
    assert chosen(tmp_path) == ["2"]


def test_averages_leave_out_pairs_that_were_not_trained(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"en_ja": 9.0, "fr_en": 40.0, "de_en": 20.0, "it_en": 99.0, "ja_en": 10.0}
    table([run(tmp_path, "a", ["fr_en", "de_en", "ja_en"], [bleu], [bleu])], tmp_path)
    (row,) = wide(tmp_path)
    assert (
        list(row)
        == (
            "experiment seed checkpoint step chosen fr_en de_en it_en ja_en en_ja "
            "avg_x_en avg_en_x avg_x_en_6 avg_high avg_mid avg_low"
        ).split()
    )
    assert row["it_en"] == "99.00"
    assert (row["avg_x_en"], row["avg_high"], row["avg_mid"], row["avg_low"]) == (
        "23.33",
        "30.00",
        "",
        "10.00",
    )
    assert row["avg_en_x"] == row["avg_x_en_6"] == ""


def test_the_papers_six_need_all_six(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {pair: 10.0 * i for i, pair in enumerate(PAPER_X_EN)}
    table([run(tmp_path, "a", PAPER_X_EN, [bleu], [bleu])], tmp_path)
    assert wide(tmp_path)[0]["avg_x_en_6"] == "25.00"
    table([run(tmp_path, "b", PAPER_X_EN[:5], [bleu], [bleu])], tmp_path)
    assert wide(tmp_path)[0]["avg_x_en_6"] == ""


def test_no_average_over_a_part_of_what_was_trained(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0, "de_en": None}
    table([run(tmp_path, "a", ["fr_en", "de_en"], [bleu], [bleu])], tmp_path)
    assert (wide(tmp_path)[0]["avg_x_en"], wide(tmp_path)[0]["de_en"]) == ("", "")


def test_the_tidy_table(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0, "de_en": 20.0, "es_en": None}
    table([run(tmp_path, "a", ["fr_en"], [bleu], [bleu])], tmp_path)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 5  # splits, pairs with scores, metrics
    assert {row["pair"]: row["trained"] for row in rows} == {"fr_en": "true", "de_en": "false"}
    found = {row["metric"]: row for row in rows if (row["split"], row["pair"]) == ("test", "de_en")}
    assert {metric: float(row["value"]) for metric, row in found.items()} == {
        "bleu": 20.0,
        "bleu_ci95_low": 19.0,
        "bleu_ci95_high": 22.0,
        "bleu_lc": 20.5,
        "chrf2": 40.0,
    }
    assert found["bleu_lc"]["signature"] == "case:lc"
    assert (found["bleu"]["rows"], found["bleu"]["expected"], found["bleu"]["step"]) == ("98", "100", "50")


def test_markdown_marks(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.06, "de_en": 20.0, "en_ja": 7.0}
    every = ["fr_en", "de_en", "en_ja"]
    runs = [run(tmp_path, "full", every, [bleu], [bleu]), run(tmp_path, "less", ["fr_en"], [bleu], [bleu])]
    table(runs, tmp_path)
    lines = (tmp_path / "bleu_table.md").read_text().splitlines()
    cells = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]]
        for line in lines
        if "|" in line
    }
    assert cells["pair"] == ["full", "less"]
    assert cells["fr→en"] == ["40.1", "40.1"]
    assert cells["de→en"] == ["20.0 ‡", "*20.0* † ‡"]
    assert cells["average X→en"] == ["30.0", "40.1"]
    text = "\n".join(lines)
    assert "sacreBLEU `tok:13a`: all pairs." in text
    assert "† not trained on" in text
    assert "‡ scored on fewer rows" in text
    assert "these differ: full 2 X→en, 1 en→X; less 1 X→en, 0 en→X" in text

    table(runs[:1], tmp_path)
    alone = (tmp_path / "bleu_table.md").read_text()
    assert "†" not in alone
    assert "differ" not in alone


def test_lower_cased_scores_choose_and_stand_in_the_table(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0}
    cased = run(tmp_path, "a", ["fr_en"], [bleu, {"fr_en": 39.0}], [bleu, {"fr_en": 30.0}])
    better = read_json(cased.scores[1])  # dev of the second checkpoint, better without case
    better["pairs"]["fr_en"]["bleu_lc"] = 50.0
    write_json(cased.scores[1], better)
    table([cased], tmp_path / "cased")
    table([replace(cased, metric="bleu_lc")], tmp_path / "lower")
    assert (chosen(tmp_path / "cased"), wide(tmp_path / "cased")[0]["fr_en"]) == (["1"], "40.00")
    assert (chosen(tmp_path / "lower"), wide(tmp_path / "lower")[0]["fr_en"]) == (["2"], "40.50")
    text = (tmp_path / "lower" / "bleu_table.md").read_text()
    assert "Lower-cased sacreBLEU, as the released LLaST scorer has it" in text
    assert "`case:lc`" in text
    assert (tmp_path / "lower" / "scores.csv").read_text() == (tmp_path / "cased" / "scores.csv").read_text()


def test_seeds_are_gathered(tmp_path: Path) -> None:
    runs = []
    for seed, value in ((1, 40.0), (2, 42.0), (3, 47.0)):
        bleu: dict[str, float | None] = {"fr_en": value, "en_ja": 7.0 if seed < 3 else None}
        files = [write_score(tmp_path, "a", 1, split, bleu, seed) for split in ("dev", "test")]
        runs.append(RunScores("a", seed, ["fr_en"], files))
    table(runs, tmp_path)
    with (tmp_path / "bleu_seeds.csv").open(newline="") as file:
        mean, deviation = list(csv.DictReader(file))
    assert (mean["statistic"], mean["seeds"], mean["fr_en"], mean["avg_x_en"]) == (
        "mean",
        "3",
        "43.00",
        "43.00",
    )
    assert (deviation["statistic"], deviation["fr_en"]) == ("deviation", "3.61")
    assert mean["en_ja"] == deviation["en_ja"] == "", "no mean over some of the seeds"
    text = (tmp_path / "bleu_table.md").read_text()
    assert "43.0 ± 3.6" in text
    assert "Mean ± standard deviation over seeds: a 3 seeds" in text
    assert [row["seed"] for row in wide(tmp_path)] == ["1", "2", "3"]


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0}
    table([run(tmp_path, "a", ["fr_en"], [bleu], [bleu])], tmp_path)
    with (tmp_path / "bleu_seeds.csv").open(newline="") as file:
        assert [row["fr_en"] for row in csv.DictReader(file)] == ["40.00", ""]
    assert "±" not in (tmp_path / "bleu_table.md").read_text()


def test_faults_and_transcripts_have_their_rows(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0}
    value = run(tmp_path, "a", ["fr_en"], [bleu], [bleu])
    scores = read_json(value.scores[1])
    scores["pairs"]["fr_en"]["faults"] = {"empty": 2, "loops": 1, "wrong_script": 0, "wrong_language": 5}
    errors = {"metric": "wer", "value": 12.345, "signature": "wer|lower", "rows": 98, "expected": 99}
    scores["recognition"] = {"fr": errors}
    write_json(value.scores[1], scores)
    table([value], tmp_path)
    with (tmp_path / "scores.csv").open(newline="") as file:
        found = {(row["split"], row["pair"], row["metric"]): row for row in csv.DictReader(file)}
    assert found["test", "fr_en", "faults_empty"]["value"] == "2"
    assert found["test", "fr_en", "faults_wrong_script"]["value"] == "0"
    assert (found["test", "fr", "wer"]["value"], found["test", "fr", "wer"]["rows"]) == ("12.3450", "98")
    text = (tmp_path / "bleu_table.md").read_text()
    assert "| a          |         98 | 2 (2.0 %) |       1 (1.0 %) |            0 |      5 (5.1 %) |" in text
    assert "fr (WER)" in text


def test_published_systems_stand_beside_ours_in_the_same_case(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0, "en_ja": 7.0}
    table([run(tmp_path, "mine", ["fr_en"], [bleu], [bleu])], tmp_path, published=PUBLISHED)
    parts = (tmp_path / "bleu_table.md").read_text().split("## Published systems, ")
    cased, lower, unknown = (part.split("\n## ")[0] for part in parts[1:])
    assert "*mine*" in cased
    assert "40.0" in cased
    assert "*mine*" in lower
    assert "40.5" in lower, "ours lower-cased"
    assert "LLaST-8B" in lower
    assert "LLaST-8B" not in cased
    assert "mine" not in unknown
    table([run(tmp_path, "mine", ["fr_en"], [bleu], [bleu])], tmp_path)
    assert "Published" not in (tmp_path / "bleu_table.md").read_text()


def test_the_page_says_what_the_markdown_says(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.06, "de_en": 20.0, "en_ja": 7.0}
    value = run(tmp_path, "a<b", ["fr_en"], [bleu], [bleu])
    table([value], tmp_path, published=PUBLISHED)
    page = (tmp_path / "bleu_table.html").read_text()
    shown = [cell.replace("*", "") for row in Cells(page).rows for cell in row]
    written = [
        cell.strip().replace("*", "").replace("`", "")
        for line in (tmp_path / "bleu_table.md").read_text().splitlines()
        if line.startswith("|") and not line.startswith("| -")
        for cell in line.split("|")[1:-1]
    ]
    assert shown == written
    assert "a&lt;b" in page
    assert "http" not in page


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    bleu: dict[str, float | None] = {"fr_en": 40.0, "en_ja": 7.0}
    value = run(tmp_path, "a", ["fr_en"], [bleu, bleu], [bleu, bleu])
    backwards = RunScores("a", 1, ["fr_en"], list(reversed(value.scores)))
    table([value], tmp_path / "1")
    table([backwards], tmp_path / "2")
    for name in ("scores.csv", "bleu_table.csv", "bleu_table.md", "bleu_table.html", "bleu_seeds.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_scores_find_their_run(tmp_path: Path) -> None:
    runs = []
    for experiment, seed in (("b", 1), ("a", 1), ("a", 2)):
        runs.append(tmp_path / f"{experiment}{seed}.json")
        write_json(runs[-1], {"experiment": experiment, "seed": seed, "trained_pairs": ["fr_en"]})
    scores = [
        write_score(tmp_path, experiment, 1, split, {"fr_en": 10.0 * seed}, seed)
        for experiment, seed in (("a", 2), ("a", 1), ("b", 1))
        for split in ("test", "dev")
    ]
    table(read_runs(runs, scores), tmp_path)
    found: list[Any] = [(row["experiment"], row["seed"], row["fr_en"]) for row in wide(tmp_path)]
    assert found == [("b", "1", "10.00"), ("a", "1", "10.00"), ("a", "2", "20.00")]
    assert "a seed 2" in (tmp_path / "bleu_table.md").read_text()

    with pytest.raises(DataError, match="not among the runs"):
        read_runs(runs[:1], scores)
    with pytest.raises(DataError, match="no scores"):
        table(read_runs(runs, scores[:2]), tmp_path)
    with pytest.raises(DataError, match="two score files of test"):
        table([RunScores("a", 2, ["fr_en"], [scores[0], scores[0]])], tmp_path)
