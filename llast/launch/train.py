"""The step `train`: starts the training job or finds the running one, follows it, and writes `run.json`.

{output folder}/run.json                    the declared output, written last
{output folder}/{spec hash}/spec.json       what is trained; a changed spec gets a folder of its own
                           /job.json        the submitted job
                           /packing.json    whether a clip is shared by its rows, or why not
                           /restarts.json   starts of the job since its newest checkpoint, on Slurm and elsewhere
                           /metrics.jsonl   a record per optimiser step
                           /checkpoints/    see llast.training.checkpoint
                           /jobs/           submitit's logs
"""

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import llast
from llast.artifacts import (
    differences,
    model_files,
    read_json,
    read_summary,
    sha256_of,
    spec_hash,
    write_json,
)
from llast.artifacts.run import Run, RunCheckpoint
from llast.config.steps import STEP_VERSIONS, Machine, TrainSpec
from llast.errors import DataError, JobError
from llast.launch import job as jobs
from llast.launch import restarts
from llast.launch.failure import find_failure
from llast.launch.follow import Forwarder, follow
from llast.mixture.rows import rows_path
from llast.training.schedule import checkpoint_steps, total_steps


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
    any other end of this process leaves it running. On Slurm, a job that a node or the network failed is started again
    from its last checkpoint, unless that has happened `restarts.MOST` times without a new one.

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
    earlier = _earlier(output.parent, key, science)
    for folder, different in earlier.items():
        print(
            f"train: {output.parent / folder} stays, of another spec: {', '.join(different)}", file=sys.stderr
        )
    steps = total_steps(rows, options.training)
    kept = checkpoint_steps(steps, options.training.checkpoints)

    if not _finished(run_folder, kept):
        what = f"{experiment}-seed{seed}"
        forwarder = Forwarder(run_folder, experiment, seed, key)
        try:
            forwarder.start()
            _run(run_folder, what, machine, steps, kept)
        finally:
            forwarder.stop()
    packing = read_json(run_folder / "packing.json")
    if not packing["packed"]:
        print(f"train {experiment}: a sequence per row, not per clip: {packing['reason']}", file=sys.stderr)
    Run(
        experiment=experiment,
        seed=seed,
        identity=key,
        folder=key,
        trained_pairs=options.trained_pairs,
        steps=steps,
        world_size=machine.ranks,
        earlier=earlier,
        packs_rows=packing["packed"],
        seconds=_training_seconds(run_folder),
        checkpoints=[
            RunCheckpoint(checkpoint=number, step=step, folder=f"{key}/checkpoints/step-{step:06d}")
            for number, step in enumerate(kept, start=1)
        ],
        options=options,
        environment=_environment(),
    ).write(output)


def _run(run_folder: Path, what: str, machine: Machine, steps: int, kept: list[int]) -> None:
    """Have a job train until all is there; on Slurm, start again what ended for a reason that may pass.

    Raises:
        DataError: the disk is full.
        JobError: the job failed.
    """
    label = f"llast-{what}"
    try:
        job = jobs.find(run_folder)
        if job is not None and job.settled():
            print(f"train: following job {job.job_id}, which is already there", file=sys.stderr)
        else:
            restarts.forget(run_folder)
            job = jobs.submit(run_folder, label, machine)
        while True:
            follow(job, run_folder, f"train {what}", steps)
            if _finished(run_folder, kept):
                return
            failure = find_failure(job)
            if failure.kind == "disk":
                raise DataError(f"the disk is full: {failure}\n  Make room and run the same command again.")
            if not (job.on_slurm and failure.kind == "transient" and restarts.left(run_folder)):
                often = "" if restarts.left(run_folder) else ", as before, without a new checkpoint"
                raise JobError(
                    f"training of {what} ended early{often}. {failure}\n"
                    "  Run the same command again: it goes on from the last checkpoint."
                )
            ended, job = job.job_id, jobs.submit(run_folder, label, machine)
            print(
                f"train: job {ended} of {what} ended early. {failure}\n  This may pass: job {job.job_id} goes on "
                f"from step {restarts.newest_step(run_folder)}.",
                file=sys.stderr,
            )
    except KeyboardInterrupt:
        if job := jobs.find(run_folder):  # also one that was being submitted when the user lost patience
            job.cancel()
            print(
                f"\ntrain: cancelled job {job.job_id}; the next run goes on from its last checkpoint",
                file=sys.stderr,
            )
        raise


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
        if different := differences(found, science):
            raise DataError(
                f"{path} has been changed: it differs in {', '.join(different)}. "
                f"Move the folder {path.parent} away and run again."
            )
    places = {"mix": mix, "encoder": encoder, "llm": llm}
    spec = science | {name: str(place.resolve()) for name, place in places.items()}
    write_json(path, spec | {"audio": [str(summary.resolve()) for summary in audio]})


def _earlier(folder: Path, key: str, science: dict[str, Any]) -> dict[str, list[str]]:
    """Folders of other specs of this run, with what they differ in."""
    science = json.loads(json.dumps(science))
    found = {}
    for path in sorted(folder.glob("*/spec.json")):
        if path.parent.name != key:
            spec = {name: value for name, value in read_json(path).items() if name in science}
            found[path.parent.name] = differences(spec, science)
    return found


def _finished(run_folder: Path, kept: list[int]) -> bool:
    return all((run_folder / "checkpoints" / f"step-{step:06d}" / "complete.json").exists() for step in kept)


def _training_seconds(run_folder: Path) -> float:
    """Time spent in training steps, without the pauses between an interruption and the next start."""
    lines = (run_folder / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    times = [json.loads(line)["time"] for line in lines]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longest = 10 * median(gaps) + 60 if gaps else 0.0
    return round(sum(gap for gap in gaps if gap < longest), 1)


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
