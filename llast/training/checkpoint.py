"""Checkpoints of a training run: complete or ignored.

{run folder}/checkpoints/step-000150/adapter/        adapters and adaptor, without the bases: kept
                                    /engine/         optimiser state of every rank: newest two only
                                    /rng/rank0.pt    random state of every rank
                                    /complete.json   written last: the step, and what the run was made by
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed

from llast.artifacts import differences, read_json, write_json
from llast.errors import DataError
from llast.model.lora import save_adapters, trainable_parameters

MARKER = "complete.json"
KEPT_ENGINES = 2


def folder_of(run_folder: Path, step: int) -> Path:
    """Folder of the checkpoint after `step` optimiser steps."""
    return run_folder / "checkpoints" / f"step-{step:06d}"


def complete_steps(run_folder: Path) -> list[int]:
    """Steps of the complete checkpoints of a run, ascending."""
    markers = (run_folder / "checkpoints").glob(f"step-*/{MARKER}")
    return sorted(int(read_json(marker)["step"]) for marker in markers)


def save(
    engine: Any,
    run_folder: Path,
    step: int,
    kept: list[int],
    state: dict[str, Any],
    made_by: dict[str, Any],
) -> None:
    """Save a checkpoint; every rank calls this after the same step.

    Args:
        engine: the DeepSpeed engine.
        run_folder: folder of the run.
        step: optimiser steps done.
        kept: steps whose adapters are kept for evaluation; others only serve to resume.
        state: what else a resumed run has to know.
        made_by: what decides the weights; another run does not resume from here.
    """
    folder = folder_of(run_folder, step)
    rank = torch.distributed.get_rank()
    with deepspeed.zero.GatheredParameters(trainable_parameters(engine.module)):  # ZeRO-3 has them in pieces
        if rank == 0:
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted save left
            (folder / "rng").mkdir(parents=True)
            save_adapters(engine.module, folder / "adapter")
    torch.distributed.barrier()
    random_state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random_state["cuda"] = torch.cuda.get_rng_state()
    torch.save(random_state, folder / "rng" / f"rank{rank}.pt")
    engine.save_checkpoint(
        str(folder),
        tag="engine",
        client_state={"run": state},
        save_latest=False,
        exclude_frozen_parameters=True,
    )
    torch.distributed.barrier()
    if rank == 0:
        _sync(folder)  # the marker must not outlive, in a power cut, what it vouches for
        write_json(folder / MARKER, {"step": step, "made_by": made_by})
        _prune(run_folder, kept)
    torch.distributed.barrier()


def load_newest(engine: Any, run_folder: Path, made_by: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Continue from the newest complete checkpoint with engine state.

    Raises:
        DataError: that checkpoint was made by something else.

    Returns:
        its step and the state saved with it; 0 and nothing for a fresh start.
    """
    steps = [step for step in complete_steps(run_folder) if (folder_of(run_folder, step) / "engine").exists()]
    if not steps:
        return 0, {}
    folder = folder_of(run_folder, steps[-1])
    if different := differences(read_json(folder / MARKER)["made_by"], json.loads(json.dumps(made_by))):
        raise DataError(
            f"{folder} does not belong to this run: it differs in {', '.join(different)}. "
            f"Move the folder {run_folder} away and run again."
        )
    _, client = engine.load_checkpoint(str(folder), tag="engine", load_module_strict=False)
    random_state = torch.load(folder / "rng" / f"rank{torch.distributed.get_rank()}.pt", weights_only=True)
    torch.set_rng_state(random_state["cpu"])
    if "cuda" in random_state:
        torch.cuda.set_rng_state(random_state["cuda"])
    state: dict[str, Any] = client["run"]
    return steps[-1], state


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _prune(run_folder: Path, kept: list[int]) -> None:
    steps = complete_steps(run_folder)
    for step in steps[:-KEPT_ENGINES]:
        folder = folder_of(run_folder, step)
        if step in kept:
            shutil.rmtree(folder / "engine", ignore_errors=True)
        else:
            (folder / MARKER).unlink()
    for folder in (run_folder / "checkpoints").glob("step-*"):
        if not (folder / MARKER).exists():  # not needed any more, or left by a save that was interrupted
            shutil.rmtree(folder, ignore_errors=True)
