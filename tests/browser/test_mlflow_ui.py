"""What a person sees who opens MLflow after `track`: the real server, the real page, headless Chromium."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llast.tracking.track import track
from tests.tracked_runs import mlflow_server, write_workflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium"
)
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    workflow = write_workflow(folder / "results")
    database = folder / "results" / "mlflow.db"
    track(
        **workflow.arguments(), tracking_uri=f"sqlite:///{database}", output=folder / "results" / "track.json"
    )
    with mlflow_server(database, folder) as address:
        yield address


@pytest.fixture
def page(tmp_path: Path) -> Iterator["Page"]:
    with sync_api.sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        page = browser.new_page(viewport={"width": 1800, "height": 1000})
        page.set_default_timeout(WAIT_MS)
        yield page
        page.screenshot(path=tmp_path / "page.png")
        browser.close()


def test_runs_stand_side_by_side_with_their_curves(server: str, page: "Page") -> None:
    page.goto(f"{server}/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART")
    for name in ("adapted seed 1", "frozen seed 1", "workflow: adapted, frozen"):
        page.get_by_role("link", name=name).wait_for()
    for chart in ("bleu/avg_x_en", "bleu/fr_en"):
        page.get_by_text(chart, exact=True).first.wait_for()
    page.get_by_text("adapted seed 1 (bleu/avg_x_en)").first.wait_for()  # the legend: the curve is drawn


def test_a_run_shows_its_scores_parameters_and_configuration(server: str, page: "Page") -> None:
    page.goto(f"{server}/#/experiments/1/runs?workflowType=machine_learning")
    page.get_by_role("link", name="adapted seed 1").click()
    page.get_by_text("40 steps on 3 pairs: fr_en de_en en_de").first.wait_for()
    page.get_by_text("llm.lora.rank").first.wait_for()
    metrics = page.get_by_placeholder("Search metrics").first
    metrics.fill("bleu/fr_en")
    page.get_by_text("61.5", exact=True).first.wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("config.yaml").first.wait_for()


def test_the_workflow_shows_its_table(server: str, page: "Page") -> None:
    page.goto(f"{server}/#/experiments/1/runs?workflowType=machine_learning")
    page.get_by_role("link", name="workflow: adapted, frozen").click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("bleu_table.csv").first.click()
    page.get_by_text("61.5", exact=True).first.wait_for()
