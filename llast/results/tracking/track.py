"""The step `track`: everything about a workflow's runs in MLflow, side by side."""

import csv
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from llast.artifacts import read_json, spec_hash, write_json
from llast.config.steps import STEP_VERSIONS
from llast.results.checkpoints import Case, RunScores, choose, read_checkpoints, read_runs
from llast.results.samples import gather_samples
from llast.progress import progress
from llast.results.tracking.forward import RunIdentity, milliseconds, read_records, send_metrics, send_records
from llast.results.tracking.params import varying_params
from llast.results.tracking.scores import score_metrics
from llast.results.tracking.store import EXPERIMENT, Store, StoreError, first_line, open_store, without_password

WORKFLOW = "llast.workflow"
DESCRIPTION = "mlflow.note.content"
SENT_SCORES = "llast.sent_scores"
PARAMS_PER_CALL = 100  # MLflow's limit for log_batch


def track(
    runs: list[Path],
    scores: list[Path],
    artifacts: list[Path],
    output: Path,
    tracking_uri: str = "sqlite:///results/mlflow.db",
    case: Case = "cased",
) -> dict[str, Any]:
    """Bring MLflow up to date with a workflow's runs: curves, scores by checkpoint, parameters, table and report.

    One MLflow run per experiment and seed (run name `{experiment} seed {n}`) with its configuration and sample
    sentences, and one for the workflow, which holds `artifacts`; the tag `llast.workflow` of the former names the
    latter. (MLflow's own nesting would hide the former until a row is unfolded.) Parameters are those in which the
    runs differ; all others are in the artifact `config.yaml`. May be repeated at any time: what MLflow has is not sent
    again, what it lost is.

    A store that cannot be reached does not fail the step: it warns, and `output` gets the status `pending`.

    Args:
        runs: `run.json` of each training run.
        scores: files of the step `score`, of any of these runs, checkpoints and splits.
        artifacts: files to keep with the workflow's run, such as tables and the report.
        tracking_uri: `sqlite:///path.db`, or the address of an MLflow server.
        output: JSON file to write; its content is also returned.
        case: the BLEU that chooses checkpoints and is averaged.

    Raises:
        DataError: an input is missing or broken.
    """
    configs = [read_json(path) for path in runs]
    records = [
        read_records(path.parent / (config["folder"] or "none"))
        for path, config in zip(runs, configs, strict=True)
    ]
    scored = read_runs(runs, scores, case)
    params = varying_params(configs)
    result: dict[str, Any] = {
        "step_version": STEP_VERSIONS["track"],
        "status": "done",
        "tracking_uri": without_password(tracking_uri, tracking_uri),
        "mlflow_experiment": EXPERIMENT,
    }
    try:
        store = open_store(tracking_uri)
        identities = [_identity(config) for config in configs]
        workflow = _send_workflow(store, identities, records, artifacts)
        sent = [
            _send_run(store, workflow, *run)
            for run in progress(
                list(zip(identities, configs, records, scored, params, strict=True)), "track", unit="run"
            )
        ]
        result |= {"workflow_run_id": workflow, "runs": sent}
    except (StoreError, MlflowException, OSError) as error:
        result |= {"status": "pending", "reason": without_password(first_line(error), tracking_uri)}
        print(
            f"track: MLflow at {result['tracking_uri']} does not take the runs: {result['reason']}\n"
            f"  Nothing is lost, all of it is in the results folder. When MLflow is back, delete {output} and run "
            f"the workflow again, or repeat this `llast track` command.",
            file=sys.stderr,
        )
    write_json(output, result)
    return result


def _identity(config: dict[str, Any]) -> RunIdentity:
    return RunIdentity(config["experiment"], config["seed"], config["identity"])


def _send_workflow(
    store: Store, identities: list[RunIdentity], records: list[list[dict[str, Any]]], artifacts: list[Path]
) -> str:
    """The run of the workflow itself; another set of runs gets another one."""
    keys = sorted(identity.key for identity in identities)
    names = list(dict.fromkeys(identity.experiment for identity in identities))
    times = [milliseconds(record) for of_run in records for record in of_run] or [0]
    run_id = store.run(f"workflow/{spec_hash(keys)}", f"workflow: {', '.join(names)}"[:120], min(times))
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
    config: dict[str, Any],
    records: list[dict[str, Any]],
    scored: RunScores,
    params: dict[str, str],
) -> dict[str, Any]:
    """One training run: its records, scores, parameters and configuration. Returns what `track.json` says of it."""
    started = milliseconds(records[0]) if records else 0
    run_id = store.run(identity.key, identity.name, started)
    new_records = send_records(store, run_id, records)
    known = [Param(name, value) for name, value in params.items()]
    for start in range(0, len(known), PARAMS_PER_CALL):
        store.client.log_batch(run_id, params=known[start : start + PARAMS_PER_CALL])
    new_scores = _send_scores(store, run_id, scored)
    pairs = config["trained_pairs"]
    what = f"{config['steps']} steps on" if config["steps"] else f"not trained ({config['options']['kind']}),"
    described = f"{what} {len(pairs)} pairs: {' '.join(pairs)}"
    store.client.log_batch(run_id, tags=[RunTag(WORKFLOW, workflow), RunTag(DESCRIPTION, described)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
        _write_samples(scored, Path(folder) / "samples.csv")
        store.client.log_artifacts(run_id, folder)
    store.client.set_terminated(
        run_id, "FINISHED", end_time=milliseconds(records[-1]) if records else started
    )
    return {
        "experiment": identity.experiment,
        "seed": identity.seed,
        "run_id": run_id,
        "new_records": new_records,
        "new_scores": new_scores,
    }


def _write_samples(scored: RunScores, path: Path) -> None:
    """Test sentences of the chosen checkpoint, as a table that MLflow shows."""
    if not scored.scores:
        return
    best = choose(read_checkpoints(scored))
    kinds = {kind: gather_samples([best], kind) for kind in ("drawn", "worst", "best")}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pair", "reference", "hypothesis", "sentence", "sample", "chrF2", "clip"])
        for pair in kinds["drawn"]:
            for kind, samples in kinds.items():
                for one in samples.get(pair, []):
                    ((run, text),) = one.hypotheses.items()
                    about = [one.reference, text, one.sentence, kind, one.chrf2[run], one.clip]
                    writer.writerow([pair, *about])


def _send_scores(store: Store, run_id: str, scored: RunScores) -> int:
    """Send the score metrics unless exactly these are there already; return how many were sent.

    A tag says what was sent. MLflow itself would keep both where a pair was scored again with another result; the
    newer one is shown.
    """
    metrics: list[Metric] = score_metrics(scored)
    digest = spec_hash([[metric.key, metric.value, metric.step] for metric in metrics])
    if store.client.get_run(run_id).data.tags.get(SENT_SCORES) == digest:
        return 0
    send_metrics(store, run_id, metrics)
    store.client.set_tag(run_id, SENT_SCORES, digest)
    return len(metrics)
