"""Real ranks of a training without a launcher: a process each, gloo between them."""

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llast.artifacts import write_json
from llast.config.steps import TrainSpec

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["llast.training.worker"])  # imports torch and DeepSpeed once for all ranks


def on_ranks(ranks: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `function(*arguments)` returns on each rank; where it raised, the exception's text instead.

    The function sees RANK and WORLD_SIZE in its environment, and what else a process group needs.
    """
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    ends = [_CONTEXT.Pipe(duplex=False) for _ in range(ranks)]
    processes = [
        _CONTEXT.Process(target=_rank, args=(rank, ranks, port, ends[rank][1], function, arguments))
        for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    for _, writer in ends:
        writer.close()
    results = []
    for reader, _ in ends:
        try:
            results.append(reader.recv())
        except EOFError:
            results.append("the rank died")
    for process in processes:
        process.join()
    return results


def _rank(
    rank: int, ranks: int, port: int, result: Any, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        result.send(function(*arguments))
    except Exception as error:
        traceback.print_exc()
        result.send(f"{type(error).__name__}: {error}")


def write_spec(
    run_folder: Path, options: TrainSpec, bases: Path, rows: tuple[Path, list[Path]], seed: int = 1
) -> None:
    """What a rank reads, as the launcher writes it."""
    spec = {"options": options.model_dump(), "seed": seed, "threads": 1, "mix": str(rows[0])}
    spec |= {"encoder": str(bases / "whisper"), "llm": str(bases / "llama")}
    write_json(run_folder / "spec.json", spec | {"audio": [str(path) for path in rows[1]]})


def train_and_stop(run_folder: Path, stop_rank: int = -1, stop_step: int = 0) -> bool:
    """Train as one rank; rank `stop_rank` is asked to stop while step `stop_step` of this call runs."""
    from llast.training.worker import train

    asked = iter(range(1, 1_000_000))
    return train(run_folder, lambda: next(asked) == stop_step and os.environ["RANK"] == str(stop_rank))
