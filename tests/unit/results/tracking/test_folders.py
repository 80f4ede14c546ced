"""One MLflow run per folder: of two projects that train the same, of a copy, and of a project that was moved."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from llast.results.tracking.track import track
from tests.tracked_runs import STEPS, Workflow, write_workflow


def of_project(folder: Path) -> Workflow:
    """The files of a workflow that lie in a project."""
    results = folder / "results"
    runs = [results / name / "seed1" / "train" / "run.json" for name in ("adapted", "frozen")]
    return Workflow(runs, sorted(results.glob("*/seed1/score/*.json")), [results / "bleu_table.csv"])


def copied(first: Path, second: Path) -> None:
    shutil.copytree(first, second)


def moved(first: Path, second: Path) -> None:
    first.rename(second)


def linked(first: Path, second: Path) -> None:
    second.symlink_to(first)


def trained_again(first: Path, second: Path) -> None:
    write_workflow(second / "results")


def files(folder: Path) -> dict[str, str]:
    """Digests of what lies in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("how", "shared", "expected"),
    [
        (copied, False, 3),
        (moved, False, 3),
        (linked, False, 3),
        (copied, True, 6),
        (moved, True, 3),
        (trained_again, True, 6),
    ],
)
def test_a_folder_is_a_run(
    database: Path, tmp_path: Path, how: Callable[[Path, Path], None], shared: bool, expected: int
) -> None:
    """Runs in the store of the second project (two trainings and the workflow), and files that it leaves alone."""
    first, second = tmp_path / "first project", tmp_path / "second"
    write_workflow(first / "results")
    store = (tmp_path if shared else first / "results") / "mlflow.db"
    shutil.copy(database, store)
    before = track(
        **of_project(first).arguments(), output=first / "t.json", tracking_uri=f"sqlite:///{store}"
    )
    kept = files(first)

    how(first, second)
    store = store if shared else second / "results" / "mlflow.db"
    for name in ("adapted", "frozen"):  # another result, to be seen with its own run only
        path = second / "results" / name / "seed1" / "score" / "checkpoint2.test.json"
        path.write_text(path.read_text().replace('"value": 61.5', '"value": 99.0'))
    uri = f"sqlite:///{store}"
    workflow = of_project(second)
    after = track(**workflow.arguments(), output=tmp_path / "t.json", tracking_uri=uri)
    again = track(**workflow.arguments(), output=tmp_path / "t.json", tracking_uri=uri)

    runs = stored(uri)
    assert len(runs) == expected
    assert [run.run_id for run in again.runs] == [run.run_id for run in after.runs]
    client = MlflowClient(uri)
    for run in after.runs:
        assert len(client.get_metric_history(run.run_id, "train/loss")) == STEPS
        place = Path(unquote(urlsplit(runs[run.run_id].info.artifact_uri).path))
        assert place.parents[1] == store.resolve().parent / "mlartifacts"
        assert (place / "config.yaml").is_file()
    assert runs[after.runs[0].run_id].data.metrics["bleu/fr_en"] == 99.0
    if expected == 6:
        assert runs[before.runs[0].run_id].data.metrics["bleu/fr_en"] == 61.5
    if how in (copied, trained_again):  # the original is left alone, database and artifacts
        assert files(first) == kept


def stored(uri: str) -> dict[str, Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("llast")
    assert experiment is not None
    return {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}


def test_a_store_with_another_place_for_artifacts_keeps_it(database: Path, tmp_path: Path) -> None:
    """Somebody has made the experiment by hand."""
    workflow, chosen = write_workflow(tmp_path / "results"), tmp_path / "elsewhere"
    shutil.copy(database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    MlflowClient(uri).create_experiment("llast", artifact_location=chosen.as_uri())
    track(**workflow.arguments(), output=tmp_path / "t.json", tracking_uri=uri)
    assert list(chosen.glob("*/artifacts/config.yaml"))
    assert not (tmp_path / "mlartifacts").exists()
