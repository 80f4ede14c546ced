"""The folder of a training run: where its files lie, and what they say of its progress.

{folder}/spec.json                          what is trained (`llast.artifacts.training.RunSpec`)
        /job.json                           the submitted job
        /training.lock                      held by the training
        /restarts.json                      starts of the job since its newest checkpoint
        /packing.json                       whether the rows of a clip are packed into one sequence, or why not
        /metrics.jsonl                      a record per optimiser step
        /jobs/                              submitit's logs
        /checkpoints/step-000150/adapter/        adapters and adaptor, without the bases: kept
                                /engine/         optimiser state of every rank: newest two only
                                /rng/rank0.pt    random state of every rank
                                /complete.json   written last; without it, a checkpoint does not count
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from llast.artifacts import sha256_of, write_text
from llast.artifacts.base import first_problem
from llast.artifacts.training import CheckpointRecord, TrainingRecord
from llast.errors import DataError

CHECKPOINTS, STEP = "checkpoints", "step-"


@dataclass(frozen=True)
class CheckpointFolder:
    """The folder of a checkpoint."""

    path: Path

    @property
    def adapter(self) -> Path:
        """Folder of the adapters and the adaptor."""
        return self.path / "adapter"

    @property
    def engine(self) -> Path:
        """Folder of the optimiser's state."""
        return self.path / "engine"

    @property
    def marker(self) -> Path:
        """The file that is written last."""
        return self.path / "complete.json"

    def random_state(self, rank: int) -> Path:
        """Random state of a rank."""
        return self.path / "rng" / f"rank{rank}.pt"

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.marker.is_file()

    def files(self) -> list[str]:
        """Paths of all its files but the marker, from its folder."""
        found = (path for path in self.path.rglob("*") if path.is_file() and path != self.marker)
        return sorted(path.relative_to(self.path).as_posix() for path in found)

    def changed_adapter(self) -> Path | None:
        """A file of the adapters that is cut off, missing or not what was saved.

        Raises:
            DataError: the record is missing or broken.
        """
        for name, digest in self.record().files.items():
            file = self.path / name
            if file.is_relative_to(self.adapter) and not (file.is_file() and sha256_of(file) == digest):
                return file
        return None

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return int(self.path.name.removeprefix(STEP))

    @property
    def run(self) -> "RunFolder":
        """The run that it belongs to."""
        return RunFolder(self.path.parents[1])

    def record(self) -> CheckpointRecord:
        """What it was made by.

        Raises:
            DataError: the record is missing or broken.
        """
        return CheckpointRecord.read(self.marker)


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, whether something lies there already or not."""

    path: Path

    @property
    def output(self) -> Path:
        """`run.json`, which the step `train` writes when the run is finished."""
        return self.path.parent / "run.json"

    @property
    def spec(self) -> Path:
        """What is trained."""
        return self.path / "spec.json"

    @property
    def job(self) -> Path:
        """The submitted job."""
        return self.path / "job.json"

    @property
    def lock(self) -> Path:
        """Held by whoever trains, see `llast.launch.lock`."""
        return self.path / "training.lock"

    @property
    def jobs(self) -> Path:
        """Folder of submitit's logs and results."""
        return self.path / "jobs"

    @property
    def restarts(self) -> Path:
        """Starts of the job."""
        return self.path / "restarts.json"

    @property
    def packing(self) -> Path:
        """Whether rows are packed."""
        return self.path / "packing.json"

    @property
    def metrics(self) -> Path:
        """Records of the steps."""
        return self.path / "metrics.jsonl"

    @property
    def resharded(self) -> Path:
        """Optimiser state for another number of ranks, while it is being loaded."""
        return self.path / "resharded"

    def checkpoint(self, step: int) -> CheckpointFolder:
        """The checkpoint after `step` optimiser steps."""
        return CheckpointFolder(self.path / CHECKPOINTS / f"{STEP}{step:06d}")

    def checkpoints(self) -> list[CheckpointFolder]:
        """Folders of checkpoints, complete or not, by step."""
        folders = map(CheckpointFolder, (self.path / CHECKPOINTS).glob(f"{STEP}*"))
        return sorted(folders, key=lambda folder: folder.step)

    def complete_steps(self) -> list[int]:
        """Steps of the complete checkpoints, ascending."""
        return [folder.step for folder in self.checkpoints() if folder.complete]

    def newest_step(self) -> int:
        """Step of the newest complete checkpoint, 0 without one."""
        return max(self.complete_steps(), default=0)

    def resumable(self) -> list[CheckpointFolder]:
        """The checkpoints that training can go on from, newest first: complete ones with their optimiser's state."""
        folders = [folder for folder in self.checkpoints() if folder.complete and folder.engine.is_dir()]
        return folders[::-1]

    def finished(self, kept: list[int]) -> bool:
        """Whether the checkpoints after all these steps are complete."""
        return all(self.checkpoint(step).complete for step in kept)

    def records(self) -> list[TrainingRecord]:
        """The complete lines of the records; none where training has not begun.

        Raises:
            DataError: a complete line is not a record.
        """
        return [record for _, record in self._lines()]

    def cut_records(self, done: int) -> None:
        """Drop what an interrupted run recorded after the checkpoint that it goes on from."""
        if self.metrics.exists():
            kept = [line.decode() + "\n" for line, record in self._lines() if record.step <= done]
            write_text(self.metrics, "".join(kept))

    def _lines(self) -> list[tuple[bytes, TrainingRecord]]:
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_bytes().split(b"\n")[:-1]  # what follows the last newline is being written
        return [(line, self.parse(line)) for line in lines]

    def parse(self, line: bytes) -> TrainingRecord:
        """The record that a line of `metrics.jsonl` holds.

        Raises:
            DataError: it is not one.
        """
        try:
            return TrainingRecord.model_validate_json(line, strict=True)
        except ValidationError as error:
            raise DataError(
                f"{self.metrics}: {first_problem(error)}, in the line {line.decode(errors='replace')[:100]}. "
                "The step train wrote it: remove that line and run snakemake again."
            ) from None


def checkpoint_at(path: Path) -> CheckpointFolder | None:
    """The checkpoint that lies in this folder, or whose adapters do; None where there is none."""
    for folder in (CheckpointFolder(path), CheckpointFolder(path.parent)):
        if folder.path.parent.name == CHECKPOINTS and folder.adapter.is_dir():
            return folder
    return None


def as_line(record: TrainingRecord) -> str:
    """A record as a line of `metrics.jsonl`.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(record.model_dump(exclude_none=True), allow_nan=False) + "\n"
