"""The step `train`: starts the training job or finds the running one, follows it, and writes `run.json`.

{output folder}/run.json                    the declared output, written last
{output folder}/{spec hash}/spec.json       what is trained; a changed spec gets a folder of its own
                           /job.json        the submitted job
                           /sharing.json    whether a clip is shared by its rows, or why not
                           /metrics.jsonl   a record per optimiser step
                           /checkpoints/    see llast.training.checkpoint
                           /jobs/           submitit's logs
"""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

import llast
from llast.artifacts import model_files, read_json, read_summary, sha256_of, spec_hash, write_json
from llast.config.steps import STEP_VERSIONS, Machine, TrainSpec
from llast.errors import DataError, JobError
from llast.launch import job as jobs
from llast.mixture.rows import rows_path
from llast.progress import LOG_EVERY_S
from llast.training.updates import checkpoint_steps, total_steps

POLL_S = 0.5
FORWARD_EVERY_S = 10.0


def launch(
    experiment: str,
    seed: int,
    mix: Path,
    audio: list[Path],
    encoder: Path,
    llm: Path,
    output: Path,
    options: TrainSpec,
    machine: Machine,
) -> None:
    """Train an experiment to its end and write `output`, its `run.json`.

    A job that an earlier call started and that still runs is followed, not started again. Ctrl-C cancels the job;
    any other end of this process leaves it running.

    Args:
        experiment: name of the experiment.
        seed: seed of the run.
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        encoder: folder of the Whisper checkpoint.
        llm: folder of the causal LM.
        output: the `run.json` to write.
        options: model and training.
        machine: where and on how many processes to train.

    Raises:
        DataError: the run's folder disagrees with its own spec, or the job cannot be submitted.
        JobError: the job failed; what it saved is kept, and the next call goes on from there.
    """
    rows = read_summary(mix).rows_out
    if rows == 0:
        raise DataError(f"{mix}: the mixture has no rows. That file says what was dropped and why.")
    science = {
        "step_version": STEP_VERSIONS["train"],
        "experiment": experiment,
        "seed": seed,
        "options": options.model_dump(),
        "rows_sha256": sha256_of(rows_path(mix)),
        "bases_sha256": [
            _folder_digest(options.encoder.base, encoder),
            _folder_digest(options.llm.base, llm),
        ],
        "world_size": machine.ranks,
        "threads": machine.threads,
    }
    key = spec_hash(science)
    run_folder = output.parent / key
    _write_spec(run_folder / "spec.json", science, mix, audio, encoder, llm)
    steps = total_steps(rows, options.training)
    kept = checkpoint_steps(steps, options.training.checkpoints)

    if not _finished(run_folder, kept):
        job = jobs.find(run_folder)
        if job is None or not job.running():
            job = jobs.submit(run_folder, f"llast-{experiment}-seed{seed}", machine)
        else:
            print(f"train: following job {job.job_id}, which already runs", file=sys.stderr)
        forwarder = _Forwarder(run_folder, experiment, seed, key)
        try:
            forwarder.start()
            _follow(job, run_folder, f"train {experiment} seed {seed}", steps)
        except KeyboardInterrupt:
            job.cancel()
            print(
                f"\ntrain: cancelled job {job.job_id}; the next run goes on from its last checkpoint",
                file=sys.stderr,
            )
            raise
        finally:
            forwarder.stop()
        if not _finished(run_folder, kept):
            failure = job.failure()
            if "No space left on device" in failure:
                raise DataError(f"the disk is full: {failure}\n  Make room and run the same command again.")
            raise JobError(
                f"training of {experiment} (seed {seed}) ended early. {failure}\n"
                f"  Run the same command again: it goes on from the last checkpoint."
            )
    sharing = read_json(run_folder / "sharing.json")
    if not sharing["shared"]:
        print(f"train {experiment}: a sequence per row, not per clip: {sharing['reason']}", file=sys.stderr)
    write_json(
        output,
        {
            "step_version": STEP_VERSIONS["train"],
            "experiment": experiment,
            "seed": seed,
            "spec_hash": key,
            "folder": key,
            "trained_pairs": options.trained_pairs,
            "steps": steps,
            "world_size": machine.ranks,
            "shares_clips": sharing["shared"],
            "seconds": _training_seconds(run_folder),
            "checkpoints": [
                {"checkpoint": number, "step": step, "folder": f"{key}/checkpoints/step-{step:06d}"}
                for number, step in enumerate(kept, start=1)
            ],
            "options": options.model_dump(),
            "environment": _environment(),
        },
    )


def _folder_digest(reference: str, folder: Path) -> str | None:
    """Digest of a base model that lies in a folder of the user's; a hub reference pins a revision."""
    if not reference.startswith(("./", "/")):
        return None
    return spec_hash([[file.name, sha256_of(file)] for file in model_files(folder)])


def _write_spec(
    path: Path, science: dict[str, Any], mix: Path, audio: list[Path], encoder: Path, llm: Path
) -> None:
    """Write the spec of a fresh run, or check that the one in its folder says the same."""
    science = json.loads(json.dumps(science))
    if path.exists():
        found = {name: value for name, value in read_json(path).items() if name in science}
        different = [name for name, value in science.items() if found.get(name) != value]
        if different:
            raise DataError(
                f"{path} has been changed: it differs in {', '.join(different)}. "
                f"Move the folder {path.parent} away and run again."
            )
    places = {"mix": mix, "encoder": encoder, "llm": llm}
    spec = science | {name: str(place.resolve()) for name, place in places.items()}
    write_json(path, spec | {"audio": [str(summary.resolve()) for summary in audio]})


def _finished(run_folder: Path, kept: list[int]) -> bool:
    return all((run_folder / "checkpoints" / f"step-{step:06d}" / "complete.json").exists() for step in kept)


def _follow(job: jobs.TrainingJob, run_folder: Path, what: str, steps: int) -> None:
    """Show a job's progress until it ends."""
    terminal = sys.stderr.isatty()
    metrics, position, inode = run_folder / "metrics.jsonl", 0, 0
    interval = 0.2 if terminal else LOG_EVERY_S
    with tqdm(
        total=steps, desc=what, unit="step", file=sys.stderr, dynamic_ncols=terminal, ascii=not terminal,
        mininterval=interval, maxinterval=max(1.0, interval),
    ) as bar:  # fmt: skip
        while True:
            running = job.running()  # asked before reading, so that the last records are seen
            size, found = (metrics.stat().st_size, metrics.stat().st_ino) if metrics.exists() else (0, 0)
            if found != inode:  # a resumed run has cut its records back to the checkpoint, in a new file
                position, inode = 0, found
            if size > position:
                with metrics.open("rb") as file:
                    file.seek(position)
                    lines = file.read().split(b"\n")[:-1]
                if lines:
                    position += sum(len(line) + 1 for line in lines)
                    record = json.loads(lines[-1])
                    bar.set_postfix(loss=f"{record['loss']:.3f}", refresh=False)
                    bar.update(record["step"] - bar.n)
            if not running:
                return
            time.sleep(POLL_S)


def _training_seconds(run_folder: Path) -> float:
    """Time spent in training steps, without the pauses between an interruption and the next start."""
    lines = (run_folder / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    times = [json.loads(line)["time"] for line in lines]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longest = 10 * median(gaps) + 60 if gaps else 0.0
    return round(sum(gap for gap in gaps if gap < longest), 1)


class _Forwarder:
    """Sends metrics to MLflow while the job runs, in a thread; a store that fails costs nothing but a warning."""

    def __init__(self, run_folder: Path, experiment: str, seed: int, key: str) -> None:
        self._arguments = (run_folder, experiment, seed, key)
        self._stop = threading.Event()
        self._uri = os.environ.get("MLFLOW_TRACKING_URI")
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start where a store is named."""
        if self._uri:
            self._thread.start()

    def _run(self) -> None:
        from llast.tracking.forward import RunIdentity, forward

        run_folder, experiment, seed, key = self._arguments
        identity = RunIdentity(experiment=experiment, seed=seed, spec_hash=key)
        warned = False
        while not self._stop.wait(FORWARD_EVERY_S):
            try:
                forward(run_folder, identity, str(self._uri))
            except (
                Exception
            ) as error:  # whatever the store raises: the records are on disk, `track` sends them later
                if not warned:
                    print(
                        f"train: MLflow at {self._uri} does not answer ({error}); trying on", file=sys.stderr
                    )
                warned = True

    def stop(self) -> None:
        """Stop after the call in progress."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)


def _environment() -> dict[str, str]:
    """Versions that a result depends on."""
    packages = ("torch", "transformers", "peft", "deepspeed", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    git = shutil.which("git")
    head = (
        subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        if git
        else None
    )
    return {
        "python": platform.python_version(),
        "llast": llast.__version__,
        "git": head.stdout.strip() if head and head.returncode == 0 else "unknown",
        **versions,
    }
