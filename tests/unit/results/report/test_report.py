import base64
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sacrebleu import sentence_chrf

from llast.artifacts.corpus import ResampleDetails, ResampleSummary
from llast.artifacts.run import Run
from llast.artifacts.scores import MetricScore, SampleKind, ScoreFile, SetScores
from llast.corpus.decode import DecodedClip
from llast.corpus.statistics import COLUMNS
from llast.corpus.store import write_index, write_shard
from llast.languages import PAIRS
from llast.results.checkpoints import read_results
from llast.results.compare import compare
from llast.results.report.report import report
from llast.results.samples import gather_samples
from llast.results.training import read_curve, varying_options
from tests.runs import on_official_sets

DEMO_PAIRS = ("fr_en", "de_en", "zh-CN_en", "en_de", "en_ja")
PUBLISHED = Path(__file__).parents[4] / "config" / "published.csv"
WORST_BEST: tuple[SampleKind, ...] = ("worst", "best")
VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}


class Page(HTMLParser):
    """Checks that tags are balanced, and keeps tags, ids and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.pieces: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))


@pytest.fixture(scope="module")
def demo(results: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two experiments on a synthetic corpus, one of them trained on a part of the pairs."""
    return results(
        tmp_path_factory.mktemp("demo"),
        DEMO_PAIRS,
        {"whole": DEMO_PAIRS, "part": DEMO_PAIRS[:2]},
        synthetic=True,
    )


def make(results: Any, name: str = "report.html", **more: Any) -> str:
    report(**results.report_inputs(), output=results.folder / name, **more)
    return (results.folder / name).read_text(encoding="utf-8")


def test_the_page_holds_the_table(demo: Any) -> None:
    page = Page(make(demo, title="A & B", note="a <remark>"))
    assert "A & B a <remark>" in page.text
    with (demo.folder / "bleu_table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    for row in rows:
        shown = [row[column] for column in (*DEMO_PAIRS, "avg_x_en", "avg_en_x") if row[column]]
        for value in shown:  # the page rounds once, from all digits: the last one may be the other one
            near = {f"{float(value) + nudge:.1f}" for nudge in (-0.004, 0.0, 0.004)}
            assert any(number in page.text for number in near)
    # the scored pairs that an experiment did not train on are set apart, in every row of it
    assert sum(a == ("td", "class", "untrained") for a in page.attributes) == 2 * 3
    for experiment, into, out in (("whole", 3, 2), ("part", 2, 0)):
        assert re.search(rf"{experiment} [a-z ]*\b{into} into and {out} out of English", page.text)


@pytest.mark.slow
def test_what_is_more_than_chance_is_marked(results: Callable[..., Any], tmp_path: Path) -> None:
    pairs = ("fr_en", "de_en", "en_ja")
    both = results(tmp_path, pairs, {"good": pairs, "plain": pairs[:1]}, rows=60)
    output = tmp_path / "comparison.json"
    found = compare("good", "plain", both.runs, both.scores, both.samples, output).pairs.values()
    better = sum(pair.significant and pair.difference > 0 for pair in found)
    page = Page(make(both, comparisons=[output]))
    assert better
    assert page.text.count("▲") == better + 1, "pairs, and the line that says what it means"
    assert "▲" not in Page(make(both)).text


def test_error_rates_of_transcripts(results: Callable[..., Any], tmp_path: Path) -> None:
    small = results(tmp_path, ["fr_en"], {"x": ["fr_en"]}, checkpoints=1)
    assert "50.0" not in Page(make(small)).text
    path = next(path for path in small.scores if "test" in path.name)
    rates = {
        name: MetricScore(value=value, signature=f"{name}|any")
        for name, value in (("wer", 50.0), ("wer_whisper", 40.0))
    }
    transcripts = {"fr": SetScores(metrics=rates, rows=1, expected=1)}
    ScoreFile.read(path).model_copy(update={"transcripts": transcripts}).write(path)
    text = Page(make(small)).text
    assert re.search(r"run fr WER fr WER, Whisper\S+ normaliser x 50\.0 40\.0 ", text)
    assert "wer|any" in text
    assert "wer_whisper|any" in text


def test_lower_cased_scores_are_named(results: Callable[..., Any], tmp_path: Path) -> None:
    small = results(tmp_path, ["fr_en"], {"x": ["fr_en"]}, checkpoints=1)
    named = re.compile(r"\blower-cased sacrebleu", re.IGNORECASE)
    assert not named.search(Page(make(small)).text)
    assert named.search(Page(make(small, case="lower")).text)


def test_the_page_needs_nothing_else(demo: Any) -> None:
    text = make(demo)
    page = Page(text)
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data"):
            assert value.startswith(("#", "data:")), value
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert "http" not in text
    assert "@import" not in text
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert max(ids.values()) == 1
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(ids)


def test_the_plots_take_the_colours_of_the_page(demo: Any) -> None:
    text = make(demo)
    assert text.count("<svg") == 5  # by pair, class, step; curves, funnel
    drawn = " ".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) <= {
        "#000000"
    }  # the default of paths that are not filled
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    defined = set(re.findall(r"(--[\w-]+):", text))
    assert used <= defined | {"--v"}


def test_the_same_bytes_every_time(demo: Any) -> None:
    assert make(demo, "1.html") == make(demo, "2.html")


def test_a_synthetic_corpus_is_never_set_beside_published_scores(demo: Any) -> None:
    page = Page(make(demo, published=PUBLISHED))
    assert "Synthetic speech" in page.text
    assert "SeamlessM4T" not in page.text


def test_a_real_corpus_is_set_beside_published_scores(results: Callable[..., Any], tmp_path: Path) -> None:
    real = results(tmp_path, DEMO_PAIRS, {"ours": DEMO_PAIRS[:4]}, checkpoints=1)
    assert "SeamlessM4T" not in Page(make(real, published=PUBLISHED)).text, "12 rows are no official set"
    on_official_sets(real.scores)
    page = Page(make(real, published=PUBLISHED))
    assert "Synthetic" not in page.text
    assert "SeamlessM4T-large-v2" in page.text
    assert "SeamlessM4T" not in Page(make(real)).text


def test_the_funnel_adds_up_over_languages(demo: Any) -> None:
    text = Page(make(demo)).text
    # four source languages of 1,046 clips each, of which 2 missing and 4 broken
    assert "resample 4,184 4,160 24 undecodable 16 , missing 8" in text.replace("16,", "16 ,")
    assert "mix: whole 2,000 1,990 10 leakage 10" in text
    assert "mix: part 2,000 1,690 310" in text


def test_what_splits_share_and_lose_has_a_section_of_its_own(demo: Any, tmp_path: Path) -> None:
    line: dict[str, Any] = dict.fromkeys((*COLUMNS, "dropped_too_short", "no_audio_empty"), 0)
    line |= {"pair": "fr_en", "rows": 12_345, "hours": 17.25, "official": "", "dropped_too_short": 7}
    train = {**line, "split": "train", "speakers_in_test": 3, "sentences_in_test": 1}
    with (tmp_path / "statistics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, line | train)
        writer.writeheader()
        writer.writerows([train, {**line, "split": "dev"}, {**line, "split": "test"}])
    text = Page(make(demo, statistics=tmp_path / "statistics.csv")).text
    assert "Pairs: 1" in text
    assert re.search(r"fr→en train 12,345 17\.25 .* dev 0 / 0, test 3 / 1 0 dropped too short 7 ", text)
    assert "published" not in text.split("Pairs: 1")[1].split("fr→en")[0]
    assert "Pairs: 1" not in Page(make(demo)).text


def test_samples_are_escaped(demo: Any) -> None:
    text = make(demo)
    assert "<b>rain" not in text
    assert "&lt;b&gt;rain" in text


def test_samples_are_those_of_the_chosen_checkpoint(demo: Any) -> None:
    chosen = read_results(demo.runs, demo.scores).chosen
    drawn = gather_samples(chosen, "drawn")
    assert list(drawn) == list(DEMO_PAIRS)
    assert len(drawn["fr_en"]) == 3
    for row in chosen:
        experiment = row.run.experiment
        folder = demo.folder / experiment / "seed1" / "decode" / f"checkpoint{row.number}" / "fr"
        records = [json.loads(line) for line in (folder / "fr_en.test.jsonl").read_text().splitlines()]
        hypotheses = {record["clip"]: record["hypothesis"] for record in records}
        references = {record["clip"]: record["reference"] for record in records}
        for sample in drawn["fr_en"]:
            assert sample.hypotheses[experiment, 1] == hypotheses[sample.clip]
        worst, best = (gather_samples([row], kind)["fr_en"] for kind in WORST_BEST)
        scores = {c: sentence_chrf(text, [references[c]]).score for c, text in hypotheses.items()}
        assert scores[worst[0].clip] == min(scores.values())
        assert scores[best[0].clip] == max(scores.values())
        assert not {sample.clip for sample in worst} & {sample.clip for sample in best}


def test_samples_can_be_heard(results: Callable[..., Any], tmp_path: Path) -> None:
    """A clip of a resampled store, decoded again out of the page; those without audio have no player."""
    small = results(tmp_path, ["fr_en"], {"x": ["fr_en"]})
    assert "<audio" not in make(small)
    drawn = gather_samples(read_results(small.runs, small.scores).chosen, "drawn")
    heard = drawn["fr_en"][0].clip
    tone = (0.3 * np.sin(np.arange(16_000) / 8)).astype(np.float32)
    flac = io.BytesIO()
    soundfile.write(flac, tone, 16_000, format="FLAC")
    resampled = next(path for path in small.corpus if path.parent.parent.name == "resample")
    store = resampled.parent / "store"
    store.mkdir()
    write_shard(store / "shard-00000.arrow", iter([DecodedClip(heard, 1.0, flac.getvalue())]), 10)
    write_index(store, 1)
    details = ResampleDetails(store="store", audio="audio", seconds=1.0, quarantine=[])
    ResampleSummary(version=1, rows_in=1, rows_out=1, details=details).write(resampled)
    page = make(small, "heard.html")
    (encoded,) = set(re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page))
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)))
    assert rate == 16_000
    assert 0.9 < len(samples) / rate < 1.3
    assert 0.1 < float(np.abs(samples).max()) < 0.5
    assert make(small, "again.html") == page


def test_the_best_run_is_found_on_common_pairs(demo: Any) -> None:
    with (demo.folder / "bleu_table.csv").open(newline="") as file:
        chosen = [row for row in csv.DictReader(file) if row["chosen"] == "true"]
    averages = {row["experiment"]: (float(row["fr_en"]) + float(row["de_en"])) / 2 for row in chosen}
    best = max(averages, key=averages.__getitem__)
    expected = (
        f"{averages[best]:.1f} best BLEU into English: {best} mean of 2 pairs that every run trained on"
    )
    assert expected in Page(make(demo)).text


@pytest.mark.slow
def test_all_36_pairs(results: Callable[..., Any], tmp_path: Path) -> None:
    full = results(tmp_path, PAIRS, {"x": PAIRS, "y": PAIRS[:9]}, checkpoints=2, rows=2)
    page = Page(make(full))
    assert re.search(r"\b36 pairs", page.text)
    assert all(f"{pair.replace('_', '→')}" in page.text for pair in PAIRS)


def test_what_varies_between_runs(demo: Any) -> None:
    varying = varying_options(read_results(demo.runs, demo.scores).runs)
    assert varying["encoder.lora.rank"] == ["32", ""]
    assert "training.learning_rate" not in varying


def test_training_records_may_be_cut_short_or_missing(results: Callable[..., Any], tmp_path: Path) -> None:
    small = results(tmp_path, ["fr_en"], {"x": ["fr_en"]}, rows=2)
    assert (
        len(read_curve(Run.read(small.runs[0]), small.runs[0]).series("loss")) == 300
    )  # the half-written last record is left out
    (small.runs[0].parent / "abc" / "metrics.jsonl").unlink()
    assert "Learning rate" not in Page(make(small)).text
