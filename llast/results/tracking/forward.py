"""Forward the records of a training run to MLflow, each once, with the time at which it was recorded."""

from collections.abc import Sequence
from pathlib import Path

from mlflow.entities import Metric

from llast.artifacts.training import TrainingRecord
from llast.results.tracking.identity import RunIdentity
from llast.results.tracking.store import METRICS_PER_CALL, Store, open_store
from llast.training.run_folder import RunFolder

METRICS = {
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "target_tokens_per_s": "train/target_tokens_per_s",
    "tokens_per_s": "train/tokens_per_s",
    "rows_per_s": "train/rows_per_s",
    "wait_s": "train/wait_for_data_s",
    "cpu_percent": "system/cpu_utilization_percentage",
    "memory_mb": "system/system_memory_usage_megabytes",
    "gpu_percent": "system/gpu_0_utilization_percentage",
    "gpu_memory_mb": "system/gpu_0_memory_usage_megabytes",
    "dev_loss": "dev/loss",
    "loss": "train/loss",
}
"""Values of a record and the MLflow metrics that they become, in the order in which they are sent.

MLflow shows those below `system/`, named as its own monitor names them, on a page of their own. The loss, which every
record has, comes last: a step with it has arrived, and a record cut in two by a failing call is sent again (MLflow
drops what it has already)."""


def forward(run_folder: Path, identity: RunIdentity, tracking_uri: str) -> int:
    """Send the records of `run_folder/metrics.jsonl` that MLflow does not have yet; return how many those were.

    May be called at any time, also while the file grows (a half-written last line waits for the next call), after the
    database was lost (all is sent again), and after a resumed training repeated some steps (their first record stays).

    Raises:
        DataError: a line of `metrics.jsonl` is broken.
        llast.results.tracking.store.StoreError, mlflow.exceptions.MlflowException: the store does not take the records.
    """
    records = RunFolder(run_folder).records()
    if not records:
        return 0
    store = open_store(tracking_uri)
    run_id = store.run(identity.key, identity.name, milliseconds(records[0]), identity.folder)
    return send_records(store, run_id, records)


def send_records(store: Store, run_id: str, records: Sequence[TrainingRecord]) -> int:
    """Send those records whose step is beyond what the run already has; return their number."""
    sent = _last_step(store, run_id, METRICS["loss"])
    new = [record for record in records if record.step > sent]
    metrics = [
        Metric(METRICS[name], float(value), milliseconds(record), record.step)
        for record in new
        for name in METRICS
        if (value := getattr(record, name)) is not None
    ]
    send_metrics(store, run_id, metrics)
    return len(new)


def send_metrics(store: Store, run_id: str, metrics: list[Metric]) -> None:
    """Send metrics in as few calls as MLflow allows."""
    for start in range(0, len(metrics), METRICS_PER_CALL):
        store.client.log_batch(run_id, metrics=metrics[start : start + METRICS_PER_CALL])


def milliseconds(record: TrainingRecord) -> int:
    """A record's time in the unit of MLflow."""
    return int(record.time * 1000)


def _last_step(store: Store, run_id: str, metric: str) -> int:
    return max((point.step for point in store.client.get_metric_history(run_id, metric)), default=-1)
