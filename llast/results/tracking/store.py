"""The MLflow store: opened safely by many processes at once, and the runs in it, found by a key of ours."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from llast.results.tracking.address import database_of

EXPERIMENT = "llast"
RUN_KEY = "llast.run_key"
TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # else the page opens on traces of LLM calls
LOCK_TIMEOUT_S = 120.0
METRICS_PER_CALL = 1000  # MLflow's limit for log_batch


class StoreError(Exception):
    """The store cannot be used now: a server that does not answer, a broken database. Nothing on disk is lost."""


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Attributes:
        client: MLflow's client.
        experiment_id: id of the MLflow experiment that holds all our runs.
        uri: where the store is.
    """

    client: MlflowClient
    experiment_id: str
    uri: str

    def run(self, key: str, name: str, started_ms: int) -> str:
        """Id of the run with this key; it is created where there is none (also after the store was lost).

        A server has no lock for us: two writers may create the run at once, and a request that timed out may have
        been carried out and is repeated all the same. All see the same runs afterwards, keep the one whose id comes
        first and delete the others.
        """
        with _locked(self.uri):
            if not self._with_key(key):
                self.client.create_run(
                    self.experiment_id, start_time=started_ms, tags={RUN_KEY: key}, run_name=name
                )
            first, *others = self._with_key(key)
            for other in others:
                self.client.delete_run(other)
            return first

    def _with_key(self, key: str) -> list[str]:
        found = self.client.search_runs(
            [self.experiment_id], filter_string=f"tags.`{RUN_KEY}` = '{key}'", max_results=100
        )
        return sorted(str(run.info.run_id) for run in found)


def open_store(uri: str) -> Store:
    """Open a store: `sqlite:///relative/path.db`, or a server.

    A SQLite database is created under a file lock, since MLflow's own set-up fails when several processes meet on an
    empty one. Its artifacts go to the folder `mlartifacts` beside it; those of a server go where the server says.

    Raises:
        StoreError: the store cannot be opened.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # else 60 lines about the set-up of a new database
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    database = database_of(uri)
    try:
        with _locked(uri):
            client = MlflowClient(tracking_uri=uri)
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                artifacts = None if database is None else (database.parent / "mlartifacts").resolve().as_uri()
                experiment = _create(client, artifacts)
            if experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment.experiment_id)
            return Store(client, experiment.experiment_id, uri)
    except MlflowException as error:
        raise StoreError(first_line(error)) from error
    except (
        Exception
    ) as error:  # SQLAlchemy, requests and the file system each have their own for "it is not there"
        raise StoreError(f"{type(error).__name__}: {first_line(error)}") from error


def _create(client: MlflowClient, artifacts: str | None) -> Experiment:
    try:
        return client.get_experiment(
            client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=TRAINING)
        )
    except MlflowException as error:  # another writer was quicker
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            raise error
        return experiment


def first_line(error: Exception) -> str:
    """What an exception says, without the pages that some databases add."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextlib.contextmanager
def _locked(uri: str) -> Iterator[None]:
    """Hold the lock of a SQLite store; a server takes care of itself."""
    database = database_of(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_name(database.name + ".lock"), timeout=LOCK_TIMEOUT_S):
        yield
