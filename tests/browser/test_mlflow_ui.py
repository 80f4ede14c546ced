"""What a person sees who opens MLflow after `track`: the real server, the real page, headless Chromium."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from llast.results.tracking.track import track
from tests.tracked_runs import mlflow_server, write_workflow

if TYPE_CHECKING:
    from playwright.sync_api import Page


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


@pytest.fixture(scope="module")
def run_ids(server: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ids of the two training runs."""
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("llast")
    assert experiment is not None
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    return [runs["adapted seed 1"], runs["frozen seed 1"]]


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


def test_a_run_shows_its_machine_and_sentences(server: str, page: "Page", run_ids: list[str]) -> None:
    page.goto(f"{server}/#/experiments/1/runs/{run_ids[0]}/system-metrics?workflowType=machine_learning")
    page.get_by_text("system/cpu_utilization_percentage").first.wait_for()
    page.get_by_text("system/system_memory_usage_megabytes").first.wait_for()
    page.goto(f"{server}/#/experiments/1/runs/{run_ids[0]}/model-metrics?workflowType=machine_learning")
    page.get_by_placeholder("Search metric charts").fill(
        "train/"
    )  # charts further down are drawn when they are seen
    for chart in ("train/loss", "train/learning_rate", "train/grad_norm", "train/target_tokens_per_s"):
        page.get_by_text(f"adapted seed 1 ({chart})").first.wait_for()
    page.goto(f"{server}/#/experiments/1/runs/{run_ids[0]}/artifacts?workflowType=machine_learning")
    page.get_by_text("samples.csv").first.click()
    page.get_by_text("An old house.").first.wait_for()
    page.get_by_text("adapted fr_en").first.wait_for()


def test_two_runs_compared(server: str, page: "Page", run_ids: list[str]) -> None:
    runs = json.dumps(run_ids).replace(" ", "")
    page.goto(f'{server}/#/compare-runs?runs={runs}&experiments=["1"]&workflowType=machine_learning')
    page.get_by_text("Comparing 2 Runs from 1 Experiment").first.wait_for()
    for text in ("adapted seed 1", "frozen seed 1", "mixture.tasks.asr", "llm.lora.rank"):
        page.get_by_text(text).first.wait_for()
    for text in ("bleu/avg_x_en", "bleu/fr_en", "chosen/avg_x_en"):
        page.get_by_text(text, exact=True).first.wait_for()
    assert page.get_by_text("61.5").count() >= 1
    assert page.get_by_text("max_steps").count() == 0, "parameters that do not vary are no parameters"
