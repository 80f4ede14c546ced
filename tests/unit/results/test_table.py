import csv
import re
from pathlib import Path
from typing import Any

import pytest

from llast.artifacts.scores import MetricScore, ScoreFile, SetScores
from llast.errors import DataError
from llast.languages import PAPER_X_EN
from llast.results.table import table
from tests.runs import Bleu, ScoredRun, on_official_sets, scored_run

PUBLISHED = Path(__file__).parents[3] / "config" / "published.csv"


def make_table(output: Path, *runs: ScoredRun, **more: Any) -> None:
    """The step table of these runs."""
    table([made.run for made in runs], [path for made in runs for path in made.scores], output, **more)


def change(path: Path, **pairs: dict[str, Any]) -> None:
    """Change fields of a score file's pairs."""
    file = ScoreFile.read(path)
    changed = {pair: file.pairs[pair].model_copy(update=fields) for pair, fields in pairs.items()}
    file.model_copy(update={"pairs": {**file.pairs, **changed}}).write(path)


def wide(folder: Path) -> list[dict[str, str]]:
    with (folder / "bleu_table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def chosen(folder: Path) -> list[str]:
    return [row["checkpoint"] for row in wide(folder) if row["chosen"] == "true"]


def markdown(folder: Path) -> str:
    return (folder / "bleu_table.md").read_text()


def test_dev_chooses_even_where_test_would_choose_otherwise(tmp_path: Path) -> None:
    dev: list[Bleu] = [{"fr_en": 20.0}, {"fr_en": 30.0}, {"fr_en": 25.0}]
    test: list[Bleu] = [{"fr_en": 50.0}, {"fr_en": 10.0}, {"fr_en": 40.0}]
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en"], dev, test))
    assert chosen(tmp_path) == ["2"]
    assert "10.0" in (tmp_path / "bleu_table.md").read_text().split("## Every checkpoint")[0]


def test_only_trained_pairs_into_english_choose(tmp_path: Path) -> None:
    dev: list[Bleu] = [
        {"fr_en": 30.0, "de_en": 1.0, "en_de": 1.0},
        {"fr_en": 20.0, "de_en": 90.0, "en_de": 90.0},
    ]
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en", "en_de"], dev, dev))
    assert chosen(tmp_path) == ["1"]
    make_table(tmp_path, scored_run(tmp_path, "b", ["en_de"], dev, dev))  # no pair into English: out of it
    assert chosen(tmp_path) == ["2"]


def test_the_earlier_of_equals_and_the_last_without_dev(tmp_path: Path) -> None:
    equal: list[Bleu] = [{"fr_en": 20.0}, {"fr_en": 20.0}]
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en"], equal, equal))
    assert chosen(tmp_path) == ["1"]
    assert "chosen on dev" in markdown(tmp_path)
    nothing: list[Bleu] = [{"fr_en": None}, {"fr_en": None}]
    unscored = scored_run(tmp_path, "b", ["fr_en"], nothing, equal)
    with pytest.raises(DataError, match=r"b seed 1.*fr_en.*dev_sets: false"):
        make_table(tmp_path, unscored)
    last = ScoredRun(unscored.run, [path for path in unscored.scores if "test" in path.name])
    make_table(tmp_path, last)
    assert chosen(tmp_path) == ["2"]
    assert "the last of each run" in markdown(tmp_path)
    assert "chosen on dev" not in markdown(tmp_path)
    zero: list[Bleu] = [{"fr_en": 0.0}, {"fr_en": None}]
    by_dev = scored_run(tmp_path, "c", ["fr_en"], zero, equal)
    make_table(tmp_path, by_dev)
    assert chosen(tmp_path) == ["1"], "nothing is no score, and 0 is one"
    make_table(tmp_path, by_dev, last)
    assert "or the last" in markdown(tmp_path)


def test_averages_leave_out_pairs_that_were_not_trained(tmp_path: Path) -> None:
    bleu: Bleu = {"en_ja": 9.0, "fr_en": 40.0, "de_en": 20.0, "it_en": 99.0, "ja_en": 10.0}
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en", "de_en", "ja_en"], [bleu], [bleu]))
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


def test_a_score_beyond_its_scale_is_shown(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0}
    run = scored_run(tmp_path, "a", ["fr_en"], [bleu], [bleu])
    change(
        run.scores[0], fr_en={"metrics": {"bleu": MetricScore(value=101.5, signature="x", interval=(39, 42))}}
    )
    with pytest.raises(DataError, match=rf"{run.scores[0]}.*101\.5"):
        make_table(tmp_path, run)


def test_the_papers_six_need_all_six(tmp_path: Path) -> None:
    bleu: Bleu = {pair: 10.0 * i for i, pair in enumerate(PAPER_X_EN)}
    make_table(tmp_path, scored_run(tmp_path, "a", PAPER_X_EN, [bleu], [bleu]))
    assert wide(tmp_path)[0]["avg_x_en_6"] == "25.00"
    make_table(tmp_path, scored_run(tmp_path, "b", PAPER_X_EN[:5], [bleu], [bleu]))
    assert wide(tmp_path)[0]["avg_x_en_6"] == ""


def test_no_average_over_a_part_of_what_was_trained(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0, "de_en": None}
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en", "de_en"], [bleu], [bleu]))
    assert (wide(tmp_path)[0]["avg_x_en"], wide(tmp_path)[0]["de_en"]) == ("", "")


def test_the_tidy_table(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0, "de_en": 20.0, "es_en": None}
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en"], [bleu], [bleu]))
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
    bleu: Bleu = {"fr_en": 40.06, "de_en": 20.0, "en_ja": 7.0}
    every = ["fr_en", "de_en", "en_ja"]
    runs = [
        scored_run(tmp_path, "full", every, [bleu], [bleu]),
        scored_run(tmp_path, "less", ["fr_en"], [bleu], [bleu]),
    ]
    make_table(tmp_path, *runs)
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
    assert "`tok:13a`" in text
    notes = [line for line in lines if "|" not in line]
    assert all(any(mark in line for line in notes) for mark in "†‡"), "what the marks mean is said"
    assert [line for line in notes if "‡" in line and "de→en 98 of 100." in line]
    assert "full 2 X→en, 1 en→X; less 1 X→en, 0 en→X" in text

    make_table(tmp_path, *runs[:1])
    alone = (tmp_path / "bleu_table.md").read_text()
    assert "†" not in alone
    assert "full 2 X→en" not in alone


def test_lower_cased_scores_choose_and_stand_in_the_table(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0}
    cased = scored_run(tmp_path, "a", ["fr_en"], [bleu, {"fr_en": 39.0}], [bleu, {"fr_en": 30.0}])
    metrics = ScoreFile.read(cased.scores[1]).pairs["fr_en"].scored  # dev of the second checkpoint
    better = metrics["bleu_lc"].model_copy(update={"value": 50.0})
    change(cased.scores[1], fr_en={"metrics": {**metrics, "bleu_lc": better}})
    make_table(tmp_path / "cased", cased)
    make_table(tmp_path / "lower", cased, case="lower")
    assert (chosen(tmp_path / "cased"), wide(tmp_path / "cased")[0]["fr_en"]) == (["1"], "40.00")
    assert (chosen(tmp_path / "lower"), wide(tmp_path / "lower")[0]["fr_en"]) == (["2"], "40.50")
    text = (tmp_path / "lower" / "bleu_table.md").read_text()
    assert "`case:lc`" in text
    assert "`case:lc`" not in (tmp_path / "cased" / "bleu_table.md").read_text()
    assert (tmp_path / "lower" / "scores.csv").read_text() == (tmp_path / "cased" / "scores.csv").read_text()


def test_seeds_are_gathered(tmp_path: Path) -> None:
    runs = []
    for seed, value in ((1, 40.0), (2, 42.0), (3, 47.0)):
        bleu: Bleu = {"fr_en": value, "en_ja": 7.0 if seed < 3 else None}
        runs.append(scored_run(tmp_path, "a", ["fr_en"], [bleu], [bleu], seed))
    make_table(tmp_path, *runs)
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
    assert "a 3 seeds" in text
    assert [row["seed"] for row in wide(tmp_path)] == ["1", "2", "3"]


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0}
    make_table(tmp_path, scored_run(tmp_path, "a", ["fr_en"], [bleu], [bleu]))
    with (tmp_path / "bleu_seeds.csv").open(newline="") as file:
        assert [row["fr_en"] for row in csv.DictReader(file)] == ["40.00", ""]
    assert "±" not in (tmp_path / "bleu_table.md").read_text()


def test_a_set_without_anything_to_score_has_a_dash_and_a_note(tmp_path: Path) -> None:
    value = scored_run(tmp_path, "a", ["fr_en"], [{"fr_en": 4.0}], [{"fr_en": 4.0, "de_en": None}])
    transcripts = {"fr": SetScores(metrics={"wer": None}, rows=0, expected=9)}
    ScoreFile.read(value.scores[1]).model_copy(update={"transcripts": transcripts}).write(value.scores[1])
    make_table(tmp_path, value)
    text = (tmp_path / "bleu_table.md").read_text()
    assert _row(text, "pair", "de→en")[0].strip().startswith("–")
    assert _row(text, "language", "fr (WER) ‡")[0].strip() == "–"
    assert "de→en 0 of 100" in text
    assert "fr 0 of 9" in text
    assert len([line for line in text.splitlines() if line.startswith("- –")]) == 2
    assert ",wer," not in (tmp_path / "scores.csv").read_text()


def test_faults_and_transcripts_have_their_rows(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0}
    value = scored_run(tmp_path, "a", ["fr_en"], [bleu], [bleu])
    faults = {"empty": 2, "loops": 1, "wrong_script": 0, "wrong_language": 5}
    change(value.scores[1], fr_en={"faults": faults})
    wer = MetricScore(value=12.345, signature="wer|lower")
    transcripts = {"fr": SetScores(metrics={"wer": wer}, rows=98, expected=99)}
    ScoreFile.read(value.scores[1]).model_copy(update={"transcripts": transcripts}).write(value.scores[1])
    make_table(tmp_path, value)
    with (tmp_path / "scores.csv").open(newline="") as file:
        found = {(row["split"], row["pair"], row["metric"]): row for row in csv.DictReader(file)}
    assert found["test", "fr_en", "faults_empty"]["value"] == "2"
    assert found["test", "fr_en", "faults_wrong_script"]["value"] == "0"
    assert (found["test", "fr", "wer"]["value"], found["test", "fr", "wer"]["rows"]) == ("12.3450", "98")
    text = (tmp_path / "bleu_table.md").read_text()
    assert [cell.strip() for cell in _row(text, "hypotheses", "a")] == [
        "98",
        "2 (2.0 %)",
        "1 (1.0 %)",
        "0",
        "5 (5.1 %)",
    ]
    assert "fr (WER)" in text


def test_published_systems_stand_beside_ours_in_the_same_case(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0, "en_ja": 7.0}
    mine = scored_run(tmp_path, "mine", ["fr_en"], [bleu], [bleu])
    make_table(tmp_path, mine, published=PUBLISHED)
    assert "Published" not in (tmp_path / "bleu_table.md").read_text(), "98 rows are no official set"
    on_official_sets(mine.scores)
    make_table(tmp_path, mine, published=PUBLISHED)
    parts = (tmp_path / "bleu_table.md").read_text().split("## Published systems, ")
    cased, lower, unknown = (part.split("\n## ")[0] for part in parts[1:])
    assert "*mine*" in cased
    assert "40.0" in cased
    assert "*mine*" in lower
    assert "40.5" in lower, "ours lower-cased"
    assert "LLaST-8B" in lower
    assert "LLaST-8B" not in cased
    assert "mine" not in unknown
    make_table(tmp_path, mine)
    assert "Published" not in (tmp_path / "bleu_table.md").read_text()


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    bleu: Bleu = {"fr_en": 40.0, "en_ja": 7.0}
    value = scored_run(tmp_path, "a", ["fr_en"], [bleu, bleu], [bleu, bleu])
    make_table(tmp_path / "1", value)
    make_table(tmp_path / "2", ScoredRun(value.run, list(reversed(value.scores))))
    for name in ("scores.csv", "bleu_table.csv", "bleu_table.md", "bleu_seeds.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_scores_find_their_run(tmp_path: Path) -> None:
    every = [
        scored_run(tmp_path, experiment, ["fr_en"], [{"fr_en": 10.0 * seed}], [{"fr_en": 10.0 * seed}], seed)
        for experiment, seed in (("b", 1), ("a", 1), ("a", 2))
    ]
    runs, scores = [made.run for made in every], [path for made in reversed(every) for path in made.scores]
    table(runs, scores, tmp_path)
    found = [(row["experiment"], row["seed"], row["fr_en"]) for row in wide(tmp_path)]
    assert found == [("b", "1", "10.00"), ("a", "1", "10.00"), ("a", "2", "20.00")]
    assert "a seed 2" in (tmp_path / "bleu_table.md").read_text()
    for wrong_runs, wrong_scores, named in (
        (runs[:1], scores, "a seed 2"),  # scores of a run that is not there
        (runs, scores[:2], "b seed 1"),  # a run without scores
        (runs, [*scores, scores[0]], str(scores[0])),  # two of a kind
        ([*runs, runs[0]], scores, str(runs[0])),
    ):
        with pytest.raises(DataError, match=re.escape(named)):
            table(wrong_runs, wrong_scores, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def _row(markdown: str, header: str, name: str) -> list[str]:
    """Cells of the row of that name in the first table whose header has that word."""
    lines = markdown.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|") and header in line)
    row = next(line for line in lines[start:] if line.startswith(f"| {name} "))
    return row.split("|")[2:-1]
