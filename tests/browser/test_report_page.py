"""What a person sees who opens the report, on a machine without network."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from llast.artifacts.corpus import ResampleDetails, ResampleSummary
from llast.corpus.decode import DecodedClip
from llast.corpus.store import write_index, write_shard
from llast.results.checkpoints import read_results
from llast.results.compare import compare
from llast.results.report.report import report
from llast.results.samples import gather_samples
from tests.runs import on_official_sets

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAIRS = ("fr_en", "zh-CN_en", "ja_en", "en_de", "en_ja")
PUBLISHED = Path(__file__).parents[2] / "config" / "published.csv"


@pytest.fixture(scope="module")
def report_page(results: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experiments on a corpus that is not the demo's, one of them with audio of a sample."""
    folder = tmp_path_factory.mktemp("report")
    tree = results(folder, PAIRS, {"whole": PAIRS, "part": PAIRS[:3]}, rows=60)
    comparison = folder / "comparison.json"
    compare("whole", "part", tree.runs, tree.scores, tree.samples, comparison)
    clip = gather_samples(read_results(tree.runs, tree.scores).chosen, "drawn")["fr_en"][0].clip
    resampled = folder / "corpus" / "resample" / "fr" / "summary.json"
    flac = io.BytesIO()
    soundfile.write(flac, (0.3 * np.sin(np.arange(32_000) / 8)).astype(np.float32), 16_000, format="FLAC")
    (resampled.parent / "store").mkdir()
    write_shard(
        resampled.parent / "store/shard-00000.arrow", iter([DecodedClip(clip, 2.0, flac.getvalue())]), 10
    )
    write_index(resampled.parent / "store", 1)
    details = ResampleDetails(store="store", audio="audio", seconds=1.0, quarantine=[])
    ResampleSummary(version=1, rows_in=1, rows_out=1, details=details).write(resampled)
    on_official_sets(tree.scores)
    inputs = tree.report_inputs() | {"comparisons": [comparison], "published": PUBLISHED}
    report(**inputs, output=folder / "report.html", title="LLaST on covost2")
    return folder / "report.html"


def test_the_report_without_network(report_page: Path, page: "Page") -> None:
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.context.set_offline(True)
    page.goto(report_page.as_uri())
    assert page.title() == "LLaST on covost2"
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []

    heat = page.locator("table.heat").first
    assert heat.locator("tbody tr").count() == 4
    shade = "getComputedStyle(document.querySelector('table.heat td[style]')).backgroundColor"
    assert page.evaluate(shade) not in ("rgba(0, 0, 0, 0)", "")
    assert "better or worse than part by more than chance" in page.locator("#scores").inner_text()

    plots = page.locator("figure svg")
    names = [plots.nth(i).get_attribute("aria-label") for i in range(plots.count())]
    assert names == [
        "BLEU by pair",
        "Average BLEU by resource class",
        "Average BLEU by training step",
        "BLEU beside published systems",
        "Training curves",
        "Rows through the steps",
    ]
    for i in range(plots.count()):
        box = plots.nth(i).bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80

    published = page.locator("#published").inner_text()
    assert "LLaST-8B" in published
    assert "SeamlessM4T-large-v2" in published

    player = page.locator("audio").first
    assert page.locator("#samples h4").first.inner_text() == "Drawn"
    length = player.evaluate(
        "async a => { a.load(); await new Promise(r => a.onloadedmetadata = r); return a.duration; }"
    )
    assert 1.8 < length < 2.4


def test_the_report_on_a_phone_and_in_the_dark(report_page: Path, page: "Page") -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(report_page.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "wide tables scroll by themselves"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert page.evaluate("getComputedStyle(document.querySelector('svg text')).fill") != "rgb(0, 0, 0)"
