"""The step `train`: starts the training job or finds the running one, follows it, and writes `run.json`.

{output folder}/run.json     the declared output, written last
               /{identity}/  see `llast.training.run_folder`; whatever decides the weights gets a folder of its own
"""

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import llast
from llast.artifacts import differences, spec_hash
from llast.artifacts.corpus import MixSummary
from llast.artifacts.run import Run, RunCheckpoint
from llast.artifacts.training import CheckpointRecord, Packing, RunSpec, Settings
from llast.config.steps import Machine, TrainSpec
from llast.errors import ConfigError, DataError, JobError
from llast.launch import job as jobs
from llast.launch import restarts
from llast.launch.failure import find_failure
from llast.launch.follow import Forwarder, follow
from llast.launch.lock import PATIENCE_S, locked, require_known
from llast.launch.record import note_end
from llast.training.identity import changes_since, identity_of, rounds, settings_of
from llast.training.run_folder import RunFolder
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

    A job that an earlier call started and that still runs is followed, not started again; one of another machine, or
    one of which that cannot be known, is an error. Ctrl-C cancels the job;
    any other end of this process leaves it running. On Slurm, a job that a node or the network failed is started again
    from its last checkpoint, unless that has happened `restarts.MOST` times without a new one. A run that was
    interrupted goes on from its last checkpoint, also with other options as long as its identity is the same.

    Args:
        experiment: name of the experiment.
        seed: seed of the run.
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        encoder: folder of the speech encoder.
        llm: folder of the causal LM.
        output: the `run.json` to write.
        options: model and training.
        machine: where and on how many processes to train.

    Raises:
        DataError: the run's folder disagrees with its own spec, the job cannot be submitted, or a base is broken.
        ConfigError: a base cannot be used as the options say, or there are more checkpoints than steps.
        JobError: the job failed; what it saved is kept, and the next call goes on from there.
    """
    rows = MixSummary.read(mix).rows_out
    if rows == 0:
        raise DataError(f"{mix}: the mixture has no rows. That file says what was dropped and why.")
    steps = total_steps(rows, options.training)
    if steps < options.training.checkpoints:
        raise ConfigError(
            f"experiment '{experiment}': training.checkpoints is {options.training.checkpoints}, and its {rows:,} rows "
            f"give {steps} steps. Lower it, or give more epochs or fewer rows_per_update."
        )
    spec = RunSpec(
        experiment=experiment,
        seed=seed,
        identity=identity_of(seed, mix, audio, encoder, llm, options),
        options=options,
        machine=machine,
        mix=mix.resolve(),
        audio=[summary.resolve() for summary in audio],
        encoder=encoder.resolve(),
        llm=llm.resolve(),
    )
    key = spec_hash(spec.identity)
    run = RunFolder(output.parent / key)
    _check(run, spec)
    earlier = _earlier(output.parent, run, spec)
    for folder, different in earlier.items():
        print(
            f"train: {output.parent / folder} stays, of another run: {', '.join(different)}", file=sys.stderr
        )
    kept = checkpoint_steps(steps, options.training.checkpoints)

    if run.finished(kept):
        _require_whole(run, kept)
    if not run.finished(kept):
        forwarder = Forwarder(run, experiment, seed, key)
        try:
            forwarder.start()
            _train(run, spec, steps, kept)
        finally:
            forwarder.stop()
    packing = Packing.read(run.packing) if run.packing.exists() else None
    if packing and not packing.packed:
        print(f"train {experiment}: a sequence per row, not per clip: {packing.reason}", file=sys.stderr)
    last = run.checkpoint(steps).record()
    Run(
        experiment=experiment,
        seed=seed,
        identity=key,
        folder=key,
        trained_pairs=options.trained_pairs,
        steps=steps,
        world_size=last.settings.processes,
        changes=last.changes,
        earlier=earlier,
        packs_rows=packing.packed if packing else None,
        seconds=_training_seconds(run),
        checkpoints=[
            RunCheckpoint(
                checkpoint=number, step=step, folder=str(run.checkpoint(step).path.relative_to(output.parent))
            )
            for number, step in enumerate(kept, start=1)
        ],
        options=RunSpec.read(run.spec).options,
        environment=_environment(),
    ).write(output)


def _train(run: RunFolder, spec: RunSpec, steps: int, kept: list[int]) -> None:
    """Have a job train until all is there; on Slurm, start again what ended for a reason that may pass.

    Raises:
        DataError: the disk is full, or takes no more for another reason; a checkpoint is missing that was there.
        JobError: the job failed.
    """
    what = spec.name
    try:
        job = _running(run, spec)
        if job is None:
            with locked(run, PATIENCE_S[spec.machine.cluster]) as has_locks:
                job = _running(run, spec)  # another launcher may have been quicker
                if job is None:
                    require_known(run, has_locks)
                    _require_earlier(run, kept)
                    restarts.forget(run)
                    job = _start(run, spec)
        while True:
            follow(job, run, f"train {what}", steps)
            note_end(run)
            if run.finished(kept):
                return
            failure = find_failure(job)
            if refusal := failure.refusal:
                raise DataError(f"{refusal.says}. {failure}\n  {refusal.remedy}")
            if error := failure.user_error:
                raise error
            if not (job.on_slurm and failure.kind == "transient" and restarts.left(run)):
                often = "" if restarts.left(run) else ", as before, without a new checkpoint"
                raise JobError(
                    f"training of {what} ended early{often}. {failure}\n"
                    "  Run the same command again: it goes on from the last checkpoint."
                )
            ended, job = job.job_id, _start(run, spec)
            print(
                f"train: job {ended} of {what} ended early. {failure}\n  This may pass: job {job.job_id} goes on "
                f"from step {run.newest_step()}.",
                file=sys.stderr,
            )
    except KeyboardInterrupt:
        if job := jobs.find(run):  # also one that was being submitted when the user lost patience
            job.cancel()
            note_end(run)
            print(
                f"\ntrain: cancelled job {job.job_id}; the next run goes on from its last checkpoint",
                file=sys.stderr,
            )
        raise


def _running(run: RunFolder, spec: RunSpec) -> jobs.TrainingJob | None:
    """The job that is there already, if there is one."""
    job = jobs.find(run)
    if job is None or not job.settled():
        return None
    print(f"train: following job {job.job_id}, which is already there", file=sys.stderr)
    started = RunSpec.read(run.spec)
    if different := differences(_settings(started).by_key(), _settings(spec).by_key()):
        print(f"train: it keeps what it was started with: {', '.join(different)}", file=sys.stderr)
    return job


def _start(run: RunFolder, spec: RunSpec) -> jobs.TrainingJob:
    """Submit the job, after a line where it goes on with what gives weights other than those of an undisturbed run."""
    if record := _newest_record(run):
        changes = changes_since(record, _settings(spec))
        values = [f"{c.option} {c.after} (before: {c.before})" for c in changes if rounds(c)]
        if values:
            print(
                f"train: goes on from step {record.step} with {', '.join(values)}: its weights will differ by rounding "
                "and the draws of dropout from those of a run without this change",
                file=sys.stderr,
            )
    spec.write(run.spec)
    return jobs.submit(run, spec.name, spec.machine)


def _require_whole(run: RunFolder, kept: list[int]) -> None:
    """See that the adapters of a training that was finished are what it saved; the last ones are trained again.

    Raises:
        DataError: earlier ones are not, or there is nothing to go on from.
    """
    for folder in map(run.checkpoint, kept):
        if changed := folder.changed_adapter():
            what = f"{changed} is cut off, missing or not what was saved."
            earlier = any(other.step < folder.step for other in run.resumable())
            if folder.step < kept[-1] or not earlier:
                raise DataError(
                    f"{what} Put it back, or delete {folder.path.parent} and run the same command again: it trains "
                    "from the start."
                )
            print(f"train: {what} Training goes on from an earlier checkpoint.", file=sys.stderr)
            folder.marker.unlink()


def _require_earlier(run: RunFolder, kept: list[int]) -> None:
    """See that no checkpoint is missing that training is past: it would end without it, however often it is started.

    Raises:
        DataError: one is.
    """
    newest = max((folder.step for folder in run.resumable()), default=0)
    lost = [run.checkpoint(step) for step in kept if step <= newest and not run.checkpoint(step).complete]
    if lost:
        raise DataError(
            f"{lost[0].path} is missing or not whole, and training is past it, at step {newest}. Put it back, or "
            f"delete {lost[0].path.parent} and run the same command again: it trains from the start."
        )


def _newest_record(run: RunFolder) -> CheckpointRecord | None:
    """What the checkpoint says that training most likely goes on from; its ranks look whether it is whole."""
    for folder in run.resumable():
        with suppress(DataError):
            return folder.record()
    return None


def _settings(spec: RunSpec) -> Settings:
    return settings_of(spec.options, spec.machine, spec.machine.ranks)


def _check(run: RunFolder, spec: RunSpec) -> None:
    """See that the folder holds the run that it is named after; write the spec where there is none."""
    if not run.spec.exists():
        spec.write(run.spec)
    if different := differences(RunSpec.read(run.spec).identity, spec.identity):
        raise DataError(
            f"{run.spec} has been changed: it differs in {', '.join(different)}. "
            f"Move the folder {run.path} away and run again."
        )


def _earlier(folder: Path, run: RunFolder, spec: RunSpec) -> dict[str, list[str]]:
    """Folders of other runs of this experiment and seed, with what they differ in."""
    found = {}
    for path in sorted(folder.glob("*/")):
        other = RunFolder(path)
        if other != run and other.spec.exists():
            try:
                found[path.name] = differences(RunSpec.read(other.spec).identity, spec.identity)
            except DataError:
                found[path.name] = ["written by another version of llast"]
    return found


def _training_seconds(run: RunFolder) -> float:
    """Time spent in training steps, without the pauses between an interruption and the next start."""
    times = [record.time for record in run.records()]
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
