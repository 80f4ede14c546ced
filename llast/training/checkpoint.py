"""Checkpoints of a training run: complete or ignored. `llast.training.run_folder` says what lies where."""

import contextlib
import io
import os
import pickle
import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deepspeed
import numpy as np
import torch
import torch.distributed
from deepspeed.checkpoint import ds_to_universal
from deepspeed.runtime.fp16.loss_scaler import LossScaler
from deepspeed.runtime.zero.config import ZeroStageEnum
from deepspeed.utils.tensor_fragment import fragment_address

from llast.artifacts import differences, sha256_of
from llast.artifacts.training import CheckpointRecord, RunSpec
from llast.errors import DataError
from llast.model.lora import save_adapters, trainable_parameters
from llast.training.identity import changes_since, settings_of
from llast.training.run_folder import CHECKPOINTS, CheckpointFolder, RunFolder

KEPT_ENGINES = 2


def save(engine: Any, run: RunFolder, record: CheckpointRecord, kept: list[int]) -> None:
    """Save a checkpoint; every rank calls this after the same step.

    Args:
        engine: the DeepSpeed engine.
        run: folder of the run.
        record: what the checkpoint is and was made by.
        kept: steps whose adapters are kept for evaluation; others only serve to resume.
    """
    folder = run.checkpoint(record.step)
    rank = torch.distributed.get_rank()
    with deepspeed.zero.GatheredParameters(trainable_parameters(engine.module)):  # ZeRO-3 has them in pieces
        if rank == 0:
            shutil.rmtree(folder.path, ignore_errors=True)  # what an interrupted save left
            folder.random_state(0).parent.mkdir(parents=True)
            save_adapters(engine.module, folder.adapter)
    torch.distributed.barrier()
    random_state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random_state["cuda"] = torch.cuda.get_rng_state()
    torch.save(random_state, folder.random_state(rank))
    engine.save_checkpoint(
        str(folder.path), tag=folder.engine.name, save_latest=False, exclude_frozen_parameters=True
    )
    torch.distributed.barrier()
    digests = _digests(folder, folder.files())
    if rank == 0:
        _sync(folder.path)  # the marker must not outlive, in a power cut, what it vouches for
        record.model_copy(update={"files": digests}).write(folder.marker)
        _prune(run, kept)
    torch.distributed.barrier()


def sweep_unfinished(run: RunFolder) -> None:
    """Delete what a killed training was saving or loading; rank 0 calls this before anything else is saved."""
    shutil.rmtree(run.resharded, ignore_errors=True)
    for folder in run.checkpoints():
        if not folder.complete:  # not needed any more, or left by a save that was interrupted
            shutil.rmtree(folder.path, ignore_errors=True)


def load_newest(engine: Any, run: RunFolder, spec: RunSpec) -> CheckpointRecord | None:
    """Continue from the newest checkpoint that is whole and has the optimiser's state; every rank calls this.

    Seeds the random numbers of this rank, or takes up those that it had. What differs from the checkpoint's own record
    is not unpickled, and of what does not, nothing is run.

    Raises:
        DataError: that checkpoint was made by another run, or none is whole.

    Returns:
        what it says of itself, with the options that have changed since; None for a fresh start.
    """
    rank = torch.distributed.get_rank()
    found = newest_whole(run, spec.identity)
    if found is None:
        seed_rank(spec.seed, rank, 0)
        return None
    folder, record = found
    settings = settings_of(spec.options, spec.machine, torch.distributed.get_world_size())
    with tensors_only(folder.engine):
        if record.settings.processes == settings.processes:
            engine.load_checkpoint(str(folder.path), tag=folder.engine.name, load_module_strict=False)
        else:
            _load_resharded(engine, run, folder)
    seed_rank(spec.seed, rank, record.step)  # dropout differs between ranks
    if folder.random_state(rank).exists():
        random_state = torch.load(folder.random_state(rank), weights_only=True)
        torch.set_rng_state(random_state["cpu"])
        if "cuda" in random_state:
            torch.cuda.set_rng_state(random_state["cuda"])
    return record.model_copy(
        update={"settings": settings, "changes": record.changes + changes_since(record, settings)}
    )


def newest_whole(
    run: RunFolder, identity: dict[str, Any]
) -> tuple[CheckpointFolder, CheckpointRecord] | None:
    """The newest checkpoint of this run whose files are those that it was saved with, and its record; None without any.

    Every rank calls this; each reads its share of the files. What is newer and broken does not count any more.

    Raises:
        DataError: the checkpoint was made by another run, or all are broken.
    """
    broken: list[str] = []
    for folder in run.resumable():
        try:
            record = folder.record()
        except DataError as error:
            broken.append(str(error))
            continue
        if different := differences(record.identity, identity):
            raise DataError(
                f"{folder.path} does not belong to this run: it differs in {', '.join(different)}. "
                f"Move the folder {run.path} away and run again."
            )
        if changed := _changed(folder, record):
            broken.append(f"{folder.path / changed} is cut off, missing or not what was saved.")
            continue
        if broken and torch.distributed.get_rank() == 0:
            print(
                "\n  ".join([*broken, f"Training goes on from step {record.step}."]),
                file=sys.stderr,
                flush=True,
            )
            for newer in run.resumable():
                if newer.step > record.step:
                    newer.marker.unlink()
        torch.distributed.barrier()
        return folder, record
    if broken:
        raise DataError(
            " ".join(broken[:1])
            + f" No older checkpoint is whole. Delete {run.path / CHECKPOINTS} and run again: it "
            "trains from the start."
        )
    return None


@contextlib.contextmanager
def tensors_only(engine: Path) -> Iterator[None]:
    """Whatever torch loads inside is tensors and the few classes that DeepSpeed saves with them.

    Raises:
        DataError: a file holds something else, which would have been run.
    """
    force = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(force)
    os.environ[force] = "1"  # DeepSpeed asks for everything
    try:
        with torch.serialization.safe_globals([LossScaler, ZeroStageEnum, fragment_address]):
            yield
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise DataError(
            f"{engine} holds more than tensors{f' ({found[1]})' if found else ''}: loading it would run code that this "
            f"program did not save. Delete {engine.parent} and run again."
        ) from None
    finally:
        os.environ.pop(force)
        if before is not None:
            os.environ[force] = before


def _changed(folder: CheckpointFolder, record: CheckpointRecord) -> str | None:
    """A file that is not as the record says, or that it does not know; None: there is none. The same on every rank."""
    there = folder.files()
    if other := sorted(record.files.keys() ^ set(there)):
        return other[0]
    digests = _digests(folder, there)
    return next((file for file in there if digests[file] != record.files[file]), None)


def _digests(folder: CheckpointFolder, files: list[str]) -> dict[str, str]:
    """SHA-256 of files; each rank reads a share of them, and all get the whole."""
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    shares: list[Any] = [None] * ranks
    mine = {file: sha256_of(folder.path / file) for file in files[rank::ranks]}
    torch.distributed.all_gather_object(shares, mine)
    return {file: digest for share in shares for file, digest in sorted(share.items())}


def seed_rank(seed: int, rank: int, step: int) -> None:
    """Seed torch's random numbers of a rank for the steps after `step`."""
    (number,) = np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)
    torch.manual_seed(int(number))


def _load_resharded(engine: Any, run: RunFolder, folder: CheckpointFolder) -> None:
    """Load what another number of ranks saved, through DeepSpeed's universal checkpoint.

    That holds each parameter and each of its moments as a whole; it is written by rank 0 and deleted when all ranks
    have taken their part. See https://www.deepspeed.ai/tutorials/universal-checkpointing/.
    """
    first = torch.distributed.get_rank() == 0
    if first:
        shutil.rmtree(run.resharded, ignore_errors=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ds_to_universal.main(
                Namespace(
                    input_folder=str(folder.engine),
                    output_folder=str(run.resharded / folder.engine.name),
                    num_extract_workers=1,
                    num_merge_workers=1,
                    keep_temp_folder=False,
                    strict=True,
                    inject_missing_state=True,
                )
            )
    torch.distributed.barrier()
    engine._config.load_universal_checkpoint = True
    try:
        engine.load_checkpoint(str(run.resharded), tag=folder.engine.name, load_module_strict=False)
    finally:
        engine._config.load_universal_checkpoint = False
    torch.distributed.barrier()
    if first:
        shutil.rmtree(run.resharded, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _prune(run: RunFolder, kept: list[int]) -> None:
    for step in run.complete_steps()[:-KEPT_ENGINES]:
        folder = run.checkpoint(step)
        if step in kept:
            shutil.rmtree(folder.engine, ignore_errors=True)
        else:
            folder.marker.unlink()
    sweep_unfinished(run)
