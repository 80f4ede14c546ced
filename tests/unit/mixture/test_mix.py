from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llast.artifacts.corpus import FilterDetails, FilteredSplit, FilterSummary, Leakage, MixedRows, MixSummary
from llast.config.experiment import MixtureOptions
from llast.corpus.filter import ROWS
from llast.corpus.official import official_table
from llast.errors import ConfigError, DataError
from llast.languages import PAPER_X_EN, SPLITS, pairs_from, source_languages
from llast.mixture.mix import mix
from llast.mixture.rows import open_rows

PAPER_EN_X = ("en_ja", "en_de", "en_zh-CN")
Rows = list[tuple[str, str, str]]  # clip, sentence, translation


def filtered(folder: Path, source: str, pairs: Mapping[str, Mapping[Any, Rows]]) -> Path:
    """Write what the step filter writes."""
    output = folder / source
    output.mkdir(parents=True)
    for pair, splits in pairs.items():
        for split in SPLITS:
            rows = [(*row, "speaker", 1.5) for row in splits.get(split, [])]
            columns = list(zip(*rows, strict=True)) or [()] * 5
            table = pa.table(
                [pa.array(column, kind.type) for column, kind in zip(columns, ROWS, strict=True)], schema=ROWS
            )
            pq.write_table(table, output / f"{pair}.{split}.parquet")
    return filter_summary(output / "summary.json", list(pairs))


def filter_summary(path: Path, pairs: list[str]) -> Path:
    """Write a summary of the step filter that names the pairs."""
    details = FilterDetails(pairs={pair: {} for pair in pairs})
    FilterSummary(version=1, rows_in=0, rows_out=0, details=details).write(path)
    return path


def no_train_rows(path: Path, pair: str, rows_in: int, dropped: dict[str, int]) -> None:
    """Change a summary of the step filter as if it had left no train row of a pair."""
    train = FilteredSplit(
        rows_in=rows_in, rows_out=0, dropped=dropped, repaired=0, missing_audio=0, seconds=0.0
    )
    found = FilterSummary.read(path)
    details = FilterDetails(pairs={**found.details.pairs, pair: {"train": train}})
    found.model_copy(update={"details": details}).write(path)


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    """fr_en with 3 train rows, en_de and en_ja with 3 and 2 rows over the same English clips."""
    french = {"train": [(f"fr{n}", f"phrase {n}", f"sentence {n}") for n in range(3)]}
    german = {"train": [(f"en{n}", f"English {n}", f"Deutsch {n}") for n in (2, 0, 1)]}
    japanese = {"train": [(f"en{n}", f"English {n}", f"日本語 {n}") for n in (0, 3)]}
    return [
        filtered(tmp_path, "fr", {"fr_en": french}),
        filtered(tmp_path, "en", {"en_de": german, "en_ja": japanese}),
    ]


def run(corpus: list[Path], seed: int = 1, **options: Any) -> tuple[list[tuple[str, ...]], MixSummary]:
    output = corpus[0].parent.parent / "mix"
    summary = mix(corpus, output, MixtureOptions(**options), seed)
    rows = open_rows(output / "summary.json").to_pylist()
    assert len(rows) == summary.rows_out
    return [
        tuple(row[name] for name in ("clip", "source", "task", "target", "text")) for row in rows
    ], summary


ALL = ["fr_en", "en_de", "en_ja"]


def test_rows_of_a_clip_stand_together_and_english_is_recognised_once(corpus: list[Path]) -> None:
    rows, summary = run(corpus, pairs=ALL)
    assert rows[:7] == [
        ("en0", "en", "asr", "en", "English 0"),
        ("en0", "en", "st", "de", "Deutsch 0"),
        ("en0", "en", "st", "ja", "日本語 0"),
        ("en1", "en", "asr", "en", "English 1"),
        ("en1", "en", "st", "de", "Deutsch 1"),
        ("en2", "en", "asr", "en", "English 2"),
        ("en2", "en", "st", "de", "Deutsch 2"),
    ]
    assert rows[-1] == ("fr2", "fr", "st", "en", "sentence 2")
    assert len(rows) == 15
    assert summary.details.tasks == {
        "st": MixedRows(rows=8, seconds=12.0),
        "asr": MixedRows(rows=7, seconds=10.5),
    }
    assert {pair: entry.rows for pair, entry in summary.details.pairs.items()} == {
        "fr_en": 3,
        "en_de": 3,
        "en_ja": 2,
    }
    assert {code: entry.rows for code, entry in summary.details.asr.items()} == {"fr": 3, "en": 4}
    assert summary.details.clips == 7
    assert (summary.rows_in, summary.dropped) == (15, {})


def test_only_the_pairs_and_tasks_asked_for(corpus: list[Path]) -> None:
    rows, _ = run(corpus, pairs=["en_ja"], tasks={"st": 1.0})
    assert rows == [("en0", "en", "st", "ja", "日本語 0"), ("en3", "en", "st", "ja", "日本語 3")]
    rows, _ = run(corpus, pairs=["en_ja"], tasks={"st": 0.0, "asr": 1.0})
    assert [row[0] for row in rows] == ["en0", "en3"]


def test_a_larger_share_contains_the_rows_of_a_smaller_one(tmp_path: Path) -> None:
    many = {"train": [(f"fr{n}", f"phrase {n}", f"sentence {n}") for n in range(2000)]}
    corpus = [filtered(tmp_path, "fr", {"fr_en": many})]
    half, summary = run(corpus, pairs=["fr_en"], tasks={"st": 0.5, "asr": 0.25})
    again, _ = run(corpus, pairs=["fr_en"], tasks={"st": 0.5, "asr": 0.25})
    more, _ = run(corpus, pairs=["fr_en"], tasks={"st": 0.6, "asr": 0.25})
    other, _ = run(corpus, seed=2, pairs=["fr_en"], tasks={"st": 0.5, "asr": 0.25})
    assert half == again
    assert set(half) < set(more)
    assert set(half) != set(other)
    assert summary.details.tasks["st"].rows == pytest.approx(1000, abs=100)
    assert summary.details.tasks["asr"].rows == pytest.approx(500, abs=90)
    assert summary.dropped == {"share": 4000 - len(half)}


def test_a_chain_of_thought_row_has_the_transcript_and_then_the_translation(corpus: list[Path]) -> None:
    rows, summary = run(corpus, pairs=["fr_en"], tasks={"cot": 1.0})
    assert rows[0] == ("fr0", "fr", "cot", "en", "phrase 0\nsentence 0")
    assert len(rows) == 3
    assert summary.details.tasks == {"cot": MixedRows(rows=3, seconds=4.5)}


def test_directions_out_of_english_can_be_thinned_and_nothing_else(corpus: list[Path]) -> None:
    rows, summary = run(corpus, pairs=ALL, en_x_step=2)
    thinned = [(clip, target) for clip, source, task, target, _ in rows if (source, task) == ("en", "st")]
    assert thinned == [("en0", "ja"), ("en1", "de"), ("en2", "de")]  # first and third of de, first of ja
    assert sum(task == "asr" for _, _, task, _, _ in rows) == 7
    assert summary.dropped == {"en_x_step": 2}


def test_temperature_brings_languages_nearer_to_each_other_and_keeps_the_total(tmp_path: Path) -> None:
    many = {"train": [(f"fr{n}", f"phrase {n}", f"sentence {n}") for n in range(1600)]}
    few = {"train": [(f"ja{n}", f"文 {n}", f"phrase {n}") for n in range(100)]}
    corpus = [filtered(tmp_path, "fr", {"fr_en": many}), filtered(tmp_path, "ja", {"ja_en": few})]
    run(corpus, pairs=["fr_en", "ja_en"], tasks={"st": 1.0, "asr": 1.0}, temperature=2)
    rows = open_rows(tmp_path / "mix" / "summary.json").to_pylist()
    french = [row for row in rows if row["source"] == "fr"]
    japanese = [row for row in rows if row["source"] == "ja"]
    assert len(french) == pytest.approx(3400 * 40 / 50, rel=0.03)  # shares as the roots of 1600 and 100
    assert len(japanese) == pytest.approx(3400 * 10 / 50, rel=0.03)
    assert (
        Counter(row["clip"] for row in japanese).most_common()[-1][1] >= 6
    )  # each at least three times, two tasks
    assert {(row["clip"], row["copy"]) for row in japanese if row["task"] == "st"} == {
        (row["clip"], row["copy"]) for row in japanese if row["task"] == "asr"
    }
    assert all(row["copy"] == 0 for row in french)
    _, summary = run(corpus, pairs=["fr_en", "ja_en"], tasks={"st": 1.0, "asr": 1.0}, temperature=2)
    assert summary.dropped == {"temperature": 3200 - len(french)}
    assert summary.details.repeated == len(japanese) - 200


def test_each_clip_has_one_speed_and_the_length_that_goes_with_it(tmp_path: Path) -> None:
    many = {"train": [(f"fr{n}", f"phrase {n}", f"sentence {n}") for n in range(900)]}
    corpus = [filtered(tmp_path, "fr", {"fr_en": many})]
    run(corpus, pairs=["fr_en"], speeds=[0.9, 1.0, 1.1])
    rows = open_rows(tmp_path / "mix" / "summary.json").to_pylist()
    speeds = {(row["clip"], row["speed"]) for row in rows}
    assert len(speeds) == 900
    counts = Counter(speed for _, speed in speeds)
    assert set(counts) == {0.9, 1.0, 1.1}
    assert min(counts.values()) > 240
    assert all(row["seconds"] == pytest.approx(1.5 / row["speed"]) for row in rows)


@pytest.mark.parametrize("mode", ["drop", "count"])
def test_rows_whose_text_is_held_out_are_found_in_every_language(
    tmp_path: Path, mode: Literal["drop", "count"]
) -> None:
    french = {
        "train": [("fr0", "ok", "fine"), ("fr1", "gardé", "x"), ("fr2", "y", "An English DEV sentence. ")],
        "dev": [("fr8", "\u200eGarde\u0301", "unused")],
    }
    german = {
        "train": [("en0", "clean", "sauber"), ("en1", "french TEST-target", "z"), ("en2", "w", "Wahl")],
        "dev": [("en8", "an english\u00a0 dev sentence.", "d")],
    }
    welsh = {
        "train": [("cy0", "a", "b")],
        "test": [("cy8", "c", "French test\u2011target"), ("cy9", "wahl", "")],
    }
    corpus = [
        filtered(tmp_path, "fr", {"fr_en": french}),
        filtered(tmp_path, "en", {"en_de": german}),
        filtered(tmp_path, "cy", {"cy_en": welsh}),
    ]
    rows, summary = run(corpus, pairs=["fr_en", "en_de"], leakage=mode)
    leaking = {
        ("fr1", "fr", "asr", "fr", "gardé"),
        ("fr1", "fr", "st", "en", "x"),
        ("fr2", "fr", "st", "en", "An English DEV sentence. "),
        ("en1", "en", "asr", "en", "french TEST-target"),
        ("en1", "en", "st", "de", "z"),
    }
    assert leaking.isdisjoint(rows) if mode == "drop" else leaking < set(rows)
    assert len(rows) == (7 if mode == "drop" else 12)
    assert summary.dropped == ({"leakage": 5} if mode == "drop" else {})
    assert summary.details.leakage == Leakage(
        mode=mode, rows=5, directions={"st fr_en": 2, "st en_de": 1, "asr fr_fr": 1, "asr en_en": 1}
    )


def test_what_cannot_be_mixed_is_refused(corpus: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"mixture\.pairs.*es_en.*fr_en en_de en_ja"):
        run(corpus, pairs=["fr_en", "es_en"])
    with pytest.raises(ValueError, match="tasks"):
        run(corpus, pairs=["fr_en"], tasks={"st": 1.5})
    with pytest.raises(DataError, match=r"\b3\b"):
        run(corpus, pairs=["fr_en"], tasks={"asr": 1e-9})


def test_a_pair_without_train_rows_is_refused_with_where_they_went(tmp_path: Path) -> None:
    rows = {"train": [("fr0", "phrase", "sentence")]}
    corpus = [filtered(tmp_path, "fr", {"fr_en": rows}), filtered(tmp_path, "de", {"de_en": {}})]
    no_train_rows(corpus[1], "de_en", 0, {})
    with pytest.raises(DataError, match=r"de_en .*\bjoin\b.*splits: \{training: train\}"):
        run(corpus, pairs=["fr_en", "de_en"])
    no_train_rows(corpus[1], "de_en", 7, {"audio_missing": 7})
    with pytest.raises(DataError, match=r"de_en .*\b7\b.*audio_missing"):
        run(corpus, pairs=["fr_en", "de_en"])
    assert run(corpus, pairs=["fr_en"])


OFFICIAL = official_table()


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The train rows of the paper's nine directions in their official numbers, every tenth text also one of dev."""
    folder, summaries = tmp_path_factory.mktemp("official"), []
    for source in source_languages((*PAPER_X_EN, *PAPER_EN_X)):
        pairs = pairs_from(source, (*PAPER_X_EN, *PAPER_EN_X))
        for pair in pairs:
            numbers = range(int(OFFICIAL[pair]["train"]))
            columns: list[Any] = [
                [f"common_voice_{source}_{number}" for number in numbers],
                [f"{source} {number}" for number in numbers],
                [f"{pair} {number}" for number in numbers],
                ["someone"] * len(numbers),
                [4.0] * len(numbers),
            ]
            train = pa.table(columns, schema=ROWS)
            (folder / source).mkdir(exist_ok=True)
            pq.write_table(train, folder / source / f"{pair}.train.parquet")
            pq.write_table(
                train.take(pa.array(range(0, len(train), 10))), folder / source / f"{pair}.dev.parquet"
            )
            pq.write_table(ROWS.empty_table(), folder / source / f"{pair}.test.parquet")
        summaries.append(filter_summary(folder / source / "summary.json", pairs))
    return summaries


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pairs", "tasks", "rows"),
    [
        ([*PAPER_X_EN, *PAPER_EN_X], {"st": 1.0, "asr": 1.0}, 2_065_970),
        (PAPER_X_EN, {"st": 1.0, "asr": 1.0}, 908_250),
        (PAPER_X_EN, {"st": 1.0}, 454_125),
    ],
    ids=["paper", "x-en with asr", "x-en"],
)
def test_official_tables_give_the_numbers_of_the_paper(
    tmp_path: Path, official: list[Path], pairs: list[str], tasks: dict[Any, float], rows: int
) -> None:
    summary = mix(official, tmp_path, MixtureOptions(pairs=list(pairs), tasks=tasks), seed=1)
    assert (summary.rows_out, summary.dropped) == (rows, {})
    assert open_rows(tmp_path / "summary.json").num_rows == rows
    assert summary.details.leakage.rows >= rows // 10, "the guard only counts"


def test_dev_rows_are_equally_many_of_each_direction(tmp_path: Path) -> None:
    dev = {
        "fr_en": [(f"fr{n}", f"phrase {n}", f"sentence {n}") for n in range(9)],
        "en_de": [(f"en{n}", f"English {n}", f"Deutsch {n}") for n in range(9)],
        "en_ja": [(f"en{n}", f"English {n}", f"日本語 {n}") for n in range(9)],
    }
    train = {pair: {"train": [("x" + pair, "a", "b")], "dev": rows} for pair, rows in dev.items()}
    corpus = [
        filtered(tmp_path, "fr", {"fr_en": train["fr_en"]}),
        filtered(tmp_path, "en", {pair: train[pair] for pair in ("en_de", "en_ja")}),
    ]

    def chosen(count: int, seed: int = 1, **tasks: float) -> list[dict[str, Any]]:
        _, summary = run(corpus, seed, pairs=ALL, dev_rows=count, **({"tasks": tasks} if tasks else {}))
        rows: list[dict[str, Any]] = open_rows(tmp_path / "mix/summary.json", "dev").to_pylist()
        assert summary.details.dev_rows == len(rows)
        return rows

    rows = chosen(8)
    assert Counter((row["source"], row["target"]) for row in rows) == {
        ("fr", "en"): 3,
        ("en", "de"): 3,
        ("en", "ja"): 2,
    }
    english = {row["clip"] for row in rows if row["target"] == "de"}
    assert {row["clip"] for row in rows if row["target"] == "ja"} < english, "clips are shared by their rows"
    for row in rows[-3:]:
        assert row["text"] == row["clip"].replace("fr", "sentence "), "French clips come last"
    assert rows == chosen(8)
    assert rows != chosen(8, seed=2)
    assert {row["task"] for row in rows} == {"st"}
    assert chosen(1, cot=1.0)[0]["text"].startswith("phrase ")
    assert "\n" in chosen(1, cot=1.0)[0]["text"]
    assert chosen(1, asr=1.0)[0]["target"] == "fr"
    assert len(chosen(100)) == 27


def test_training_rows_are_the_same_bytes_whatever_dev_rows_are_drawn(tmp_path: Path) -> None:
    """The digest of `rows.arrow` decides which training goes on: other dev rows must not start a new one."""
    splits = {
        split: [(f"{split}{n}", f"phrase {n} {split}", f"text {n} {split}") for n in range(50)]
        for split in SPLITS
    }
    corpus = [filtered(tmp_path, "fr", {"fr_en": splits})]

    def written(seed: int = 1, **options: Any) -> tuple[bytes, bytes]:
        run(
            corpus,
            seed,
            pairs=["fr_en"],
            tasks={"st": 0.8, "asr": 0.5},
            temperature=2,
            speeds=[0.9, 1.1],
            **options,
        )
        return (tmp_path / "mix/rows.arrow").read_bytes(), (tmp_path / "mix/dev.arrow").read_bytes()

    few, many = written(dev_rows=5), written(dev_rows=40)
    assert written(dev_rows=5) == few
    assert few[0] == many[0]
    assert few[1] != many[1]
    assert few[0] != written(seed=2, dev_rows=5)[0]
