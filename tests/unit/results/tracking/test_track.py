"""The step `track` and the live forwarding, against real SQLite stores and a real MLflow server."""

import csv
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from llast.artifacts import read_json
from llast.artifacts.run import Run as LlastRun
from llast.artifacts.scores import MetricScore
from llast.errors import DataError
from llast.results.tracking.forward import forward
from llast.results.tracking.identity import RunIdentity
from llast.results.tracking.track import Tracking, track
from tests.tracked_runs import BLEU, STARTED, STEPS, Workflow, mlflow_server, record, scored, write_workflow

History = dict[
    str, dict[str, list[tuple[int, float, int]]]
]  # run name, metric: step, value, time of each point


@pytest.fixture
def uri(database: Path, tmp_path: Path) -> str:
    shutil.copy(database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return write_workflow(tmp_path / "results")


def stored_runs(uri: str) -> dict[str, Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("llast")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in found}) == len(found), "a run is there twice"
    return {str(run.info.run_name): run for run in found}


def stored_history(uri: str) -> History:
    client = MlflowClient(uri)
    return {
        name: {
            metric: [
                (p.step, p.value, p.timestamp) for p in client.get_metric_history(run.info.run_id, metric)
            ]
            for metric in run.data.metrics
        }
        for name, run in stored_runs(uri).items()
    }


def check(uri: str) -> None:
    """Everything of the workflow is in the store, each point once."""
    runs, history = stored_runs(uri), stored_history(uri)
    assert set(runs) == {"adapted seed 1", "frozen seed 1", "workflow: adapted, frozen"}
    for experiment, checkpoints in BLEU.items():
        points = history[f"{experiment} seed 1"]
        assert [(step, time) for step, _, time in points["train/loss"]] == [
            (step, int((STARTED + step) * 1000)) for step in range(1, STEPS + 1)
        ]
        assert [
            len(points[f"train/{name}"]) for name in ("learning_rate", "grad_norm", "target_tokens_per_s")
        ] == [STEPS] * 3
        assert [(step, value) for step, value, _ in points["bleu/fr_en"]] == [
            (20, checkpoints[1][0]),
            (40, checkpoints[2][0]),
        ]
        assert [value for _, value, _ in points["bleu/avg_x_en"]] == [
            sum(checkpoints[checkpoint][:2]) / 2 for checkpoint in (1, 2)
        ]
        assert [value for _, value, _ in points["dev_bleu/en_de"]] == [
            checkpoints[1][2] + 1,
            checkpoints[2][2] + 1,
        ]
        assert [value for _, value, _ in points["system/cpu_utilization_percentage"]] == [75.0] * STEPS
        assert [value for _, value, _ in points["bleu_lc/fr_en"]] == [
            checkpoints[1][0] + 1,
            checkpoints[2][0] + 1,
        ]
        assert [value for _, value, _ in points["chrf2/en_de"]] == [
            checkpoints[1][2] + 10,
            checkpoints[2][2] + 10,
        ]
    chosen = {
        name: (m["chosen/step"], m["chosen/avg_en_x"])
        for name, run in runs.items()
        if (m := run.data.metrics)
    }
    assert chosen == {"adapted seed 1": (40, 33.25), "frozen seed 1": (20, 8.0)}


def test_runs_curves_scores_and_files_are_in_the_store(uri: str, workflow: Workflow, tmp_path: Path) -> None:
    result = track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")

    check(uri)
    runs, client = stored_runs(uri), MlflowClient(uri)
    assert runs["adapted seed 1"].data.params == {
        "experiment": "adapted",
        "seed": "1",
        "llm.lora.rank": "8",
        "llm.lora.alpha": "16",
        "llm.lora.dropout": "0.0",
        "mixture.tasks.asr": "0.5",
    }
    assert runs["frozen seed 1"].data.params == {
        "experiment": "frozen",
        "seed": "1",
        "mixture.tasks.asr": "0.25",
    }
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["adapted seed 1"].info.end_time == int((STARTED + STEPS) * 1000)

    whole = runs["workflow: adapted, frozen"]
    assert runs["adapted seed 1"].data.tags["llast.workflow"] == whole.info.run_id
    table = Path(client.download_artifacts(whole.info.run_id, "bleu_table.csv", str(tmp_path)))
    assert table.read_bytes() == workflow.artifacts[0].read_bytes()
    config = client.download_artifacts(runs["adapted seed 1"].info.run_id, "config.yaml", str(tmp_path))
    assert yaml.safe_load(Path(config).read_text()) == read_json(workflow.runs[0])
    client.download_artifacts(runs["frozen seed 1"].info.run_id, "samples.csv", str(tmp_path))
    with (tmp_path / "samples.csv").open(encoding="utf-8") as file:
        first, *_ = csv.DictReader(file)
    assert (first["pair"], first["hypothesis"]) == ("fr_en", "frozen fr_en")
    assert (first["sample"], first["reference"]) == ("drawn", "An old house.")
    assert (tmp_path / "mlartifacts").is_dir(), "artifacts belong beside the database"
    assert result == Tracking.read(tmp_path / "track.json")
    assert result.status == "done"


def test_a_second_call_doubles_nothing(uri: str, workflow: Workflow, tmp_path: Path) -> None:
    track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    before = stored_history(uri)
    for path in workflow.scores:  # scored again, with the same result
        os.utime(path)
    again = track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")

    assert stored_history(uri) == before
    assert [(run.new_records, run.new_scores) for run in again.runs] == [(0, 0), (0, 0)]


def test_a_score_that_changed_replaces_the_former_and_others_stay(
    uri: str, workflow: Workflow, tmp_path: Path
) -> None:
    track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    path = workflow.runs[0].parent.parent / "score" / "checkpoint2.test.json"
    less = MetricScore(value=50.0, signature="")  # MLflow prefers the larger of two at the same time
    scored("adapted", 2, "test", {"bleu": less}).write(path)
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))
    before = stored_history(uri)
    track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")

    assert stored_runs(uri)["adapted seed 1"].data.metrics["bleu/fr_en"] == 50.0
    assert (
        stored_history(uri)["adapted seed 1"]["dev_bleu/fr_en"] == before["adapted seed 1"]["dev_bleu/fr_en"]
    )


@pytest.mark.slow
def test_two_trainings_meet_on_a_lost_database(workflow: Workflow, tmp_path: Path) -> None:
    """Both writers start where there is no database at all; then `track` brings back all the rest."""
    uri = f"sqlite:///{tmp_path / 'lost' / 'mlflow.db'}"
    program = (
        "import sys; from pathlib import Path; from llast.results.tracking.forward import forward;"
        "from llast.results.tracking.identity import RunIdentity;"
        "folder, experiment, key, uri = sys.argv[1:];"
        "identity = RunIdentity.of(experiment, 1, key, Path(folder).parent);"
        "print(forward(Path(folder), identity, uri))"
    )
    writers = []
    for path in workflow.runs:
        run = LlastRun.read(path)
        arguments = [f"{path.parent}/{run.folder}", run.experiment, run.identity, uri]
        command = [sys.executable, "-c", program, *arguments]
        writers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert (writer.returncode, out) == (0, f"{STEPS}\n"), err
        assert "alembic" not in err

    track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    check(uri)


def test_a_store_that_may_not_grow_is_an_error(uri: str, workflow: Workflow, tmp_path: Path) -> None:
    """Unlike one that is down: it does not become better by waiting. SQLite says "disk I/O error"."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "mlflow.db").stat().st_size, before[1]))
    try:
        with pytest.raises(DataError, match="ulimit -f"):
            track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    check(uri)


def test_forward_sends_each_record_once(uri: str, tmp_path: Path) -> None:
    identity, metrics = RunIdentity.of("adapted", 1, "0123", tmp_path), tmp_path / "metrics.jsonl"
    assert forward(tmp_path, identity, uri) == 0

    metrics.write_text(record(1) + record(2) + record(3)[:20])  # the third is being written
    assert forward(tmp_path, identity, uri) == 2
    metrics.write_text(record(1) + record(2) + record(3))
    assert forward(tmp_path, identity, uri) == 1
    assert forward(tmp_path, identity, uri) == 0

    # resumed after step 1: steps 2 and 3 are done again, at another time and not to the bit
    again = [record(step, loss=7.0, time=STARTED + 100 + step, dev_loss=1.5) for step in (2, 3, 4)]
    metrics.write_text(record(1) + "".join(again))
    assert forward(tmp_path, identity, uri) == 1

    points = stored_history(uri)["adapted seed 1"]
    assert [step for step, _, _ in points["train/loss"]] == [1, 2, 3, 4]
    assert points["train/loss"][-1] == (4, 7.0, int((STARTED + 104) * 1000))
    assert points["dev/loss"] == [(4, 1.5, int((STARTED + 104) * 1000))]
    assert stored_runs(uri)["adapted seed 1"].info.status == "RUNNING"


def test_forward_sends_more_than_one_call_takes(uri: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("".join(record(step) for step in range(1, 601)))
    assert forward(tmp_path, RunIdentity.of("long", 1, "0123", tmp_path), uri) == 600
    points = stored_history(uri)["long seed 1"]
    assert {name: len(values) for name, values in points.items()} == dict.fromkeys(points, 600)
    assert len(points) == 9, "loss, learning rate, gradient norm, three speeds, wait, processors, memory"


def test_a_dead_server_leaves_the_step_pending(
    uri: str,
    workflow: Workflow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    output = tmp_path / "track.json"
    dead = track(**workflow.arguments(), tracking_uri="http://ann:secret@127.0.0.1:9", output=output)

    assert Tracking.read(output) == dead
    assert dead.status == "pending"
    message = capsys.readouterr().err
    assert f"delete {output}" in message
    assert "http://ann:***@127.0.0.1:9" in message
    assert "secret" not in message + output.read_text()

    track(**workflow.arguments(), tracking_uri=uri, output=output)
    assert Tracking.read(output).status == "done"
    check(uri)


def test_a_broken_database_leaves_the_step_pending(workflow: Workflow, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever its name says\n" * 100)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    result = track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "track.json")
    assert result.status == "pending"
    assert "database" in (result.reason or "")


def test_broken_inputs_are_errors_of_their_own(uri: str, workflow: Workflow, tmp_path: Path) -> None:
    arguments = workflow.arguments() | {"tracking_uri": uri, "output": tmp_path / "track.json"}
    with pytest.raises(DataError, match=str(tmp_path / "run.json")):
        track(**arguments | {"runs": [tmp_path / "run.json"]})
    with pytest.raises(DataError, match=workflow.runs[1].parent.parent.parent.name):
        track(**arguments | {"runs": workflow.runs[:1]})
    metrics = workflow.runs[0].parent / "adapted-0123" / "metrics.jsonl"
    metrics.write_text("{broken\n" + metrics.read_text())
    with pytest.raises(DataError, match=r"metrics\.jsonl"):
        track(**arguments)
    assert not (tmp_path / "track.json").exists()


@pytest.mark.slow
def test_a_server_gets_the_same_as_a_database(database: Path, workflow: Workflow, tmp_path: Path) -> None:
    behind = tmp_path / "behind.db"
    shutil.copy(database, behind)
    with mlflow_server(behind, tmp_path) as uri:
        for _ in range(2):
            result = track(**workflow.arguments(), tracking_uri=uri, output=tmp_path / "t.json")
            assert result.status == "done"
            check(uri)
        whole = stored_runs(uri)["workflow: adapted, frozen"].info.run_id
        table = MlflowClient(uri).download_artifacts(whole, "bleu_table.csv", str(tmp_path))
        assert Path(table).read_bytes() == workflow.artifacts[0].read_bytes()
