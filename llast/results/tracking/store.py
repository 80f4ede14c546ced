"""The MLflow store: opened safely by many processes at once, and the runs in it, found by a key of ours."""

import contextlib
import logging
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from llast.results.tracking.address import database_of
from llast.results.tracking.identity import copied_from

EXPERIMENT = "llast"
RUN_KEY = "llast.run_key"
FOLDER = "llast.folder"
ARTIFACTS = "mlartifacts"
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

    def run(self, key: str, name: str, started_ms: int, folder: Path) -> str:
        """Id of the run with this key; it is created where there is none (also after the store was lost).

        A folder that was moved keeps its run. One that was copied has the key of the other and gets a run of its own.

        A server has no lock for us: two writers may create the run at once, and a request that timed out may have
        been carried out and is repeated all the same. All see the same runs afterwards, keep the one whose id comes
        first and delete the others.

        Args:
            key: see `llast.results.tracking.identity.RunIdentity`.
            name: what MLflow shows.
            started_ms: when it began, in milliseconds since 1970.
            folder: the folder that it is of.
        """
        here = str(folder.resolve())
        with _locked(self.uri):
            runs = self._with_key(key)
            if here not in runs.values():
                moved = [run for run, recorded in runs.items() if not copied_from(Path(recorded), folder)]
                if moved:
                    self.client.set_tag(moved[0], FOLDER, here)
                    return moved[0]
                tags = {RUN_KEY: key, FOLDER: here}
                self.client.create_run(self.experiment_id, start_time=started_ms, tags=tags, run_name=name)
                runs = self._with_key(key)
            first, *others = [run for run, recorded in runs.items() if recorded == here]
            for other in others:
                self.client.delete_run(other)
            return first

    def _with_key(self, key: str) -> dict[str, str]:
        """Ids of the runs with this key, ascending, and the folder that each is of."""
        found = self.client.search_runs(
            [self.experiment_id], filter_string=f"tags.`{RUN_KEY}` = '{key}'", max_results=100
        )
        folders = {str(run.info.run_id): run.data.tags[FOLDER] for run in found}
        return dict(sorted(folders.items()))


def open_store(uri: str) -> Store:
    """Open a store: `sqlite:///relative/path.db`, or a server.

    A SQLite database is created under a file lock, since MLflow's own set-up fails when several processes meet on an
    empty one. Its artifacts go to the folder `mlartifacts` beside it, also after it was moved or copied; those of a
    server go where the server says.

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
                experiment = _create(client, None if database is None else _artifacts(database).as_uri())
            elif database is not None:
                _adopt(database, experiment)
            if experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment.experiment_id)
            return Store(client, experiment.experiment_id, uri)
    except MlflowException as error:
        raise StoreError(first_line(error)) from error
    except (
        Exception
    ) as error:  # SQLAlchemy, requests and the file system each have their own for "it is not there"
        raise StoreError(f"{type(error).__name__}: {first_line(error)}") from error


def _artifacts(database: Path) -> Path:
    """Where the artifacts of a SQLite store lie: beside the file itself, where a link leads to it."""
    return database.resolve().parent / ARTIFACTS


def _adopt(database: Path, experiment: Experiment) -> None:
    """Make a store that was moved or copied one of the place where it lies.

    MLflow keeps absolute paths, by which artifacts would be written into the folder of the store that it is a copy of,
    and has no call that changes them. The runs of the folders that came with it become those of the folders here.
    """
    location = urlsplit(experiment.artifact_location)
    before, now = Path(unquote(location.path)), _artifacts(database)
    if location.scheme not in ("", "file") or before.name != ARTIFACTS or before == now:
        return  # somebody has made the experiment by other means, and chosen where its artifacts lie
    place, run_ids = experiment.artifact_location, "SELECT run_uuid FROM runs WHERE experiment_id = ?"
    of_experiment = (experiment.experiment_id,)
    with contextlib.closing(sqlite3.connect(database, timeout=LOCK_TIMEOUT_S)) as connection, connection:
        query = f"SELECT run_uuid, value FROM tags WHERE key = ? AND run_uuid IN ({run_ids})"
        for run_id, value in connection.execute(query, (FOLDER, *of_experiment)).fetchall():
            folder = Path(value)
            if folder.is_relative_to(before.parent):
                here = str(now.parent / folder.relative_to(before.parent))
                connection.execute(
                    "UPDATE tags SET value = ? WHERE key = ? AND run_uuid = ?", (here, FOLDER, run_id)
                )
        connection.execute(
            "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, length(?) + 1)"
            " WHERE instr(artifact_uri, ?) = 1 AND experiment_id = ?",
            (now.as_uri(), place, place, *of_experiment),
        )
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
            (now.as_uri(), *of_experiment),
        )
    print(
        f"MLflow: {database} was at {before.parent}; its artifacts are those in {now} from now on",
        file=sys.stderr,
    )


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
