"""Real ranks of a training without a launcher: a process each, gloo between them."""

import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llast.artifacts.training import RunSpec
from llast.config.steps import Machine, TrainSpec
from llast.training.identity import identity_of
from llast.training.run_folder import RunFolder

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


def tiny_spec(dropout: float = 0.1, **training: Any) -> TrainSpec:
    """A training of seconds on the base models of conftest.py."""
    lora = {"rank": 4, "alpha": 8, "dropout": dropout}
    options = {"max_steps": 9, "rows_per_update": 7, "learning_rate": 2e-3, "precision": "float32"}
    return TrainSpec.model_validate(
        {
            "encoder": {"base": "./whisper", "window": "clip", "lora": lora},
            "adaptor": {"stack": 4},
            "llm": {"base": "./llama", "lora": lora},
            "mixture": {"pairs": ["fr_en"]},
            "training": options | {"checkpoints": 1, "save_every": 100} | training,
        }
    )


def write_spec(
    run_folder: Path, options: TrainSpec, bases: Path, rows: tuple[Path, list[Path]], seed: int = 1
) -> None:
    """What a rank reads, as the launcher writes it."""
    inputs = *rows, bases / "whisper", bases / "llama"
    mix, audio, encoder, llm = inputs
    RunSpec(
        experiment="tiny",
        seed=seed,
        identity=identity_of(seed, *inputs, options),
        options=options,
        machine=Machine(),
        mix=mix,
        audio=audio,
        encoder=encoder,
        llm=llm,
    ).write(RunFolder(run_folder).spec)


def train_and_stop(run_folder: Path, stop_rank: int = -1, stop_step: int = 0) -> bool:
    """Train as one rank; rank `stop_rank` is asked to stop while step `stop_step` of this call runs."""
    from llast.training.worker import train

    asked = iter(range(1, 1_000_000))
    return train(run_folder, lambda: next(asked) == stop_step and os.environ["RANK"] == str(stop_rank))


def first_step(run_folder: Path) -> dict[str, Any]:
    """The first optimiser step as one rank: loss, norm, and by parameter the gradient and the weights around it."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_grad

    from llast.training.step import optimise
    from llast.training.worker import set_up

    trainer = set_up(run_folder)
    update = next(trainer.loader().updates(0, 1))
    names = {name: p for name, p in trainer.engine.module.named_parameters() if p.requires_grad}

    def every(read: Callable[[Any], Any]) -> dict[str, Any]:
        return {name: read(parameter).clone().numpy() for name, parameter in names.items()}

    before, gradients, step = every(safe_get_full_fp32_param), {}, trainer.engine.step

    def watched() -> None:
        if trainer.engine.is_gradient_accumulation_boundary():
            gradients.update(every(safe_get_full_grad))
        step()

    trainer.engine.step = watched
    result = optimise(
        trainer.engine, update, trainer.rows, trainer.options.learning_rate, trainer.device, False, None
    )
    return {
        "loss": result.loss,
        "norm": result.grad_norm,
        "micro_batches": [len(batch.examples) if batch.counts else 0 for batch in update.micro_batches],
        "before": before,
        "gradients": gradients,
        "after": every(safe_get_full_fp32_param),
    }


def engine_settings(run_folder: Path) -> dict[str, Any]:
    """What the engine was configured with."""
    from llast.training.worker import set_up

    trainer = set_up(run_folder)
    zero = trainer.engine._config.zero_config
    return {
        "stage": int(zero.stage),
        "reduce_bucket_size": zero.reduce_bucket_size,
        "gradient_clipping": trainer.engine.gradient_clipping(),
        "communication": str(trainer.engine.communication_data_type),
    }


def train_and_die(run_folder: Path, victim: int, step: int, saving: bool) -> bool:
    """Train as one rank; rank `victim` is killed after step `step` of this call, or while it then saves."""
    from llast.training import checkpoint
    from llast.training.worker import train

    calls = iter(range(1, 1_000_000))

    def kill(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def asked() -> bool:
        if next(calls) == step and os.environ["RANK"] == str(victim):
            if not saving:
                kill()
            checkpoint._sync = checkpoint.torch.save = kill  # type: ignore[assignment]
        return False

    return train(run_folder, asked)


def waits_of_a_step(run_folder: Path) -> dict[str, Any]:
    """How many micro-batches an optimiser step has, and what the host waits for the device at, by phase of the step."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    from training.operators import Operators, Phased  # type: ignore[import-not-found]

    from llast.training.step import optimise
    from llast.training.worker import set_up

    trainer = set_up(run_folder)
    update = next(trainer.loader().updates(0, 1))
    with Operators(trainer.engine.module) as counted:
        optimise(
            Phased(trainer.engine, counted),
            update,
            trainer.rows,
            1e-3,
            trainer.device,
            stop=False,
            loss_limit=None,
        )
    return {"micro_batches": len(update.micro_batches), "waits": counted.waits}
