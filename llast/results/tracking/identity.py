"""Which MLflow run belongs to a run on disk: one per folder, wherever the folder is moved to."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import Artifact
from llast.errors import DataError
from llast.temporary import temporary_folder


class FolderId(Artifact):
    """`tracking.json`, beside `run.json`: the name that the folder was given when it was first tracked.

    Experiment, seed and options are the same in two projects that train the same; this is not.
    """

    WRITTEN_BY = "track"

    id: str


@dataclass(frozen=True)
class RunIdentity:
    """What makes a run the same run: experiment, seed, the hash of all that decides its weights, and its folder.

    Attributes:
        experiment: name of the experiment.
        seed: its seed.
        identity: hash of all that decides its weights.
        folder: where `run.json` lies or will lie.
        folder_id: name of that folder, which moves with it.
    """

    experiment: str
    seed: int
    identity: str
    folder: Path
    folder_id: str

    @classmethod
    def of(cls, experiment: str, seed: int, identity: str, folder: Path) -> "RunIdentity":
        """The identity of a run whose `run.json` lies in `folder`, which gets its name now if it has none.

        Raises:
            DataError: `tracking.json` is broken.
            OSError: it cannot be written.
        """
        return cls(experiment, seed, identity, folder, folder_id(folder))

    @property
    def key(self) -> str:
        """Value of the tag by which MLflow's run is found again."""
        return f"{self.experiment}/seed{self.seed}/{self.identity}/{self.folder_id}"

    @property
    def name(self) -> str:
        """Name of the run in MLflow."""
        return f"{self.experiment} seed {self.seed}"


def folder_id(folder: Path) -> str:
    """The name of a folder of runs; the training that forwards its records and `track` may ask at the same time.

    Raises:
        DataError: `tracking.json` is broken.
        OSError: it cannot be written.
    """
    path = _id_file(folder)
    if not path.exists():
        with temporary_folder(path) as place:
            own = place / path.name
            FolderId(id=uuid.uuid4().hex).write(own)
            try:
                os.link(
                    own, path
                )  # unlike a rename, it does not replace what another process was quicker to write
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                own.replace(path)
    return FolderId.read(path).id


def copied_from(recorded: Path, folder: Path) -> bool:
    """Whether `folder` is a copy of the folder at `recorded`, which is still there with the same name."""
    try:
        same = FolderId.read(_id_file(recorded)).id == folder_id(folder)
        return same and not recorded.samefile(folder)
    except (DataError, OSError):
        return False


def _id_file(folder: Path) -> Path:
    return folder / "tracking.json"
