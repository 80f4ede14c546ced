"""The step `track`: everything about a workflow's runs in MLflow, side by side."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import yaml
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from llast.artifacts import Artifact, Typed, spec_hash
from llast.disk import refusal_in, refusal_of
from llast.errors import DataError
from llast.markup import csv_cell
from llast.progress import progress
from llast.results.averages import Case
from llast.results.checkpoints import Checkpoint, read_results
from llast.results.samples import SAMPLE_KINDS, gather_samples
from llast.results.tracking.address import database_of, without_password
from llast.results.tracking.forward import milliseconds, send_metrics, send_records
from llast.results.tracking.identity import RunIdentity
from llast.results.tracking.scores import score_metrics
from llast.results.tracking.store import EXPERIMENT, Store, StoreError, first_line, open_store
from llast.results.training import TrainingCurve, read_curve, varying_options
from llast.temporary import temporary_folder

WORKFLOW = "llast.workflow"
DESCRIPTION = "mlflow.note.content"
SENT_SCORES = "llast.sent_scores"
PARAMS_PER_CALL = 100  # MLflow's limit for log_batch


class TrackedRun(Typed):
    """A run in MLflow, and how many records and scores were sent to it this time."""

    experiment: str
    seed: int
    run_id: str
    new_records: int
    new_scores: int


class Tracking(Artifact):
    """`track.json`: what the step track did.

    Attributes:
        status: `pending` where the store could not be reached.
        tracking_uri: the store, without its password.
        mlflow_experiment: name of the experiment in it.
        workflow_run_id: the run of the workflow.
        runs: those of the experiments.
        reason: why it is pending.
    """

    WRITTEN_BY = "track"

    status: Literal["done", "pending"] = "done"
    tracking_uri: str
    mlflow_experiment: str = EXPERIMENT
    workflow_run_id: str | None = None
    runs: list[TrackedRun] = []  # noqa: RUF012 (pydantic copies it)
    reason: str | None = None


def track(
    runs: Sequence[Path],
    scores: Sequence[Path],
    artifacts: Sequence[Path],
    output: Path,
    tracking_uri: str = "sqlite:///results/mlflow.db",
    case: Case = "cased",
) -> Tracking:
    """Bring MLflow up to date with a workflow's runs: curves, scores by checkpoint, parameters, table and report.

    One MLflow run per folder of a run (run name `{experiment} seed {n}`) with its configuration and sample
    sentences, and one for the workflow, which holds `artifacts`; the tag `llast.workflow` of the former names the
    latter. (MLflow's own nesting would hide the former until a row is unfolded.) Parameters are those in which the
    runs differ; all others are in the artifact `config.yaml`. May be repeated at any time: what MLflow has is not sent
    again, what it lost is.

    A store that cannot be reached does not fail the step: it warns, and `output` gets the status `pending`.

    Args:
        runs: `run.json` of each run.
        scores: files of the step `score`, of any of these runs, checkpoints and splits.
        artifacts: files to keep with the workflow's run, such as tables and the report.
        output: JSON file to write; its content is also returned.
        tracking_uri: `sqlite:///path.db`, or the address of an MLflow server.
        case: the BLEU that chooses checkpoints and is averaged.

    Raises:
        DataError: an input is missing or broken; or the disk takes no more.
    """
    results = read_results(runs, scores, case)
    curves = [read_curve(run, path) for run, path in zip(results.runs, runs, strict=True)]
    identities = [
        RunIdentity.of(run.experiment, run.seed, run.identity, path.parent)
        for run, path in zip(results.runs, runs, strict=True)
    ]
    varying = varying_options(results.runs)
    shown_uri = without_password(tracking_uri, tracking_uri)
    try:
        store = open_store(tracking_uri)
        workflow = _send_workflow(store, identities, curves, artifacts)
        sent = []
        for number, curve in enumerate(progress(curves, "track", unit="run")):
            options = {name: values[number] for name, values in varying.items() if values[number]}
            checkpoints = [checkpoint for checkpoint in results.checkpoints if checkpoint.run is curve.run]
            sent.append(_send_run(store, workflow, identities[number], curve, checkpoints, options, output))
        result = Tracking(tracking_uri=shown_uri, workflow_run_id=workflow, runs=sent)
    except (StoreError, MlflowException, OSError) as error:
        _require_room(tracking_uri, error)
        reason = without_password(first_line(error), tracking_uri)
        result = Tracking(status="pending", tracking_uri=shown_uri, reason=reason)
        print(
            f"track: MLflow at {shown_uri} does not take the runs: {reason}\n"
            f"  Nothing is lost, all of it is in the results folder. When MLflow is back, delete {output} and run "
            f"the workflow again, or repeat this `llast track` command.",
            file=sys.stderr,
        )
    result.write(output)
    return result


def _require_room(uri: str, error: Exception) -> None:
    """Distinguish a store that is down, which may wait, from a disk of ours that takes no more.

    Raises:
        DataError: what the disk does not take; SQLite and MLflow say no more of it than that they cannot write.
    """
    database = database_of(uri)
    refusal = refusal_in(error) if isinstance(error, OSError) else None
    if database is not None and database.parent.is_dir():
        size = database.stat().st_size if database.exists() else 0
        refusal = refusal or refusal_of(database.parent, size)
    if refusal:
        place = database or tempfile.gettempdir()
        raise DataError(f"{refusal.says} (while writing {place}). {refusal.remedy}") from error


def _send_workflow(
    store: Store,
    identities: Sequence[RunIdentity],
    curves: Sequence[TrainingCurve],
    artifacts: Sequence[Path],
) -> str:
    """The run of the workflow itself; another set of runs gets another one."""
    first, *_ = ordered = sorted(identities, key=lambda identity: identity.key)
    key = f"workflow/{spec_hash([identity.key for identity in ordered])}"
    names = list(dict.fromkeys(curve.run.experiment for curve in curves))
    times = [milliseconds(record) for curve in curves for record in curve.records] or [0]
    run_id = store.run(key, f"workflow: {', '.join(names)}"[:120], min(times), first.folder)
    store.client.set_tag(
        run_id, DESCRIPTION, "All experiments of one workflow. Its artifacts: table, scores, report."
    )
    for path in artifacts:
        store.client.log_artifact(run_id, str(path))
    store.client.set_terminated(run_id, "FINISHED", end_time=max(times))
    return run_id


def _send_run(
    store: Store,
    workflow: str,
    identity: RunIdentity,
    curve: TrainingCurve,
    checkpoints: Sequence[Checkpoint],
    options: Mapping[str, str],
    output: Path,
) -> TrackedRun:
    """One run: its records, scores, parameters and configuration, which are written beside `output` for a moment."""
    run, records = curve.run, curve.records
    started = milliseconds(records[0]) if records else 0
    run_id = store.run(identity.key, identity.name, started, identity.folder)
    new_records = send_records(store, run_id, records)
    about = {"experiment": run.experiment, "seed": str(run.seed), **options}
    params = [Param(name, value) for name, value in about.items()]
    for start in range(0, len(params), PARAMS_PER_CALL):
        store.client.log_batch(run_id, params=params[start : start + PARAMS_PER_CALL])
    new_scores = _send_scores(store, run_id, checkpoints)
    what = f"{run.steps} steps on" if run.trained else f"not trained ({run.kind}),"
    described = f"{what} {len(run.trained_pairs)} pairs: {' '.join(run.trained_pairs)}"
    store.client.log_batch(run_id, tags=[RunTag(WORKFLOW, workflow), RunTag(DESCRIPTION, described)])
    with temporary_folder(output) as folder:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(run.to_json(), sort_keys=False, allow_unicode=True), encoding="utf-8")
        _write_samples(checkpoints, folder / "samples.csv")
        store.client.log_artifacts(run_id, str(folder))
    store.client.set_terminated(
        run_id, "FINISHED", end_time=milliseconds(records[-1]) if records else started
    )
    return TrackedRun(
        experiment=run.experiment,
        seed=run.seed,
        run_id=run_id,
        new_records=new_records,
        new_scores=new_scores,
    )


def _write_samples(checkpoints: Sequence[Checkpoint], path: Path) -> None:
    """Test sentences of the chosen checkpoint, as a table that MLflow shows."""
    chosen = [checkpoint for checkpoint in checkpoints if checkpoint.chosen]
    kinds = {kind: gather_samples(chosen, kind) for kind in SAMPLE_KINDS}
    rows = [
        {
            "pair": pair,
            "reference": sample.reference,
            "hypothesis": sample.hypotheses[checkpoint.run.key],
            "sentence": sample.sentence,
            "sample": kind,
            "chrF2": sample.chrf2[checkpoint.run.key],
            "clip": sample.clip,
        }
        for checkpoint in chosen
        for pair in kinds["drawn"]
        for kind, samples in kinds.items()
        for sample in samples.get(pair, [])
    ]
    table = pd.DataFrame(rows).map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    table.to_csv(path, index=False)


def _send_scores(store: Store, run_id: str, checkpoints: Sequence[Checkpoint]) -> int:
    """Send the score metrics unless exactly these are there already; return how many were sent.

    A tag says what was sent. MLflow itself would keep both where a pair was scored again with another result; the
    newer one is shown.
    """
    metrics: list[Metric] = score_metrics(checkpoints)
    digest = spec_hash([[metric.key, metric.value, metric.step] for metric in metrics])
    if store.client.get_run(run_id).data.tags.get(SENT_SCORES) == digest:
        return 0
    send_metrics(store, run_id, metrics)
    store.client.set_tag(run_id, SENT_SCORES, digest)
    return len(metrics)
