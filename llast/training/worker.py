"""One rank of a training run: what submitit starts on every process."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import transformers

from llast.artifacts import read_json, write_text
from llast.config.steps import TrainSpec
from llast.model.branches import check_branches
from llast.model.lora import add_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training import checkpoint
from llast.training.batches import TrainingRows
from llast.training.engine import init_process_group, start_engine
from llast.training.loader import Loader
from llast.training.step import optimise
from llast.training.updates import Updates, checkpoint_steps, learning_rate, total_steps

METRICS = "metrics.jsonl"


def train(run_folder: Path, stop: Callable[[], bool] = lambda: False) -> bool:
    """Train to the end, from the newest complete checkpoint of `run_folder`; every rank runs this.

    `run_folder/spec.json` says what to train (see `llast.launch`). Appends a record per step to `metrics.jsonl`.

    Args:
        run_folder: folder of the run.
        stop: asked after every step, on every rank; may be a flag that a signal handler sets. Once it is true on any
            rank, all ranks agree, save after that step and return.

    Returns:
        whether training is finished; false after a stop: the next call goes on with the next step.

    Raises:
        TrainingDiverged: a loss or gradient is not finite, or the loss explodes; names the clips.
    """
    spec = read_json(run_folder / "spec.json")
    train_spec = TrainSpec.model_validate(spec["options"])
    options = train_spec.training
    torch.set_num_threads(spec["threads"])
    transformers.utils.logging.disable_progress_bar()
    device = init_process_group()
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()

    torch.manual_seed(spec["seed"])
    model = LlastForConditionalGeneration.from_bases(
        Path(spec["encoder"]),
        Path(spec["llm"]),
        window=train_spec.encoder.window,
        stack=train_spec.adaptor.stack,
        template=train_spec.llm.template,
        dtype=DTYPES[options.precision],
        load_in_4bit=train_spec.llm.load_in_4bit,
    )
    if options.gradient_checkpointing:
        model.encoder.activation_checkpointing_enable({"use_reentrant": False})
        model.llm.activation_checkpointing_enable({"use_reentrant": False})
    adapted = add_adapters(model, train_spec.encoder.lora, train_spec.llm.lora)
    adapted.to(device)  # type: ignore[arg-type]
    check_branches(model.llm)
    adapted.train()
    engine = start_engine(adapted, options)

    processor = LlastProcessor.from_llm(Path(spec["llm"]), train_spec.llm.template)
    rows = TrainingRows(
        Path(spec["mix"]), [Path(path) for path in spec["audio"]], processor, train_spec.adaptor.stack
    )
    steps = total_steps(len(rows), options)
    kept = checkpoint_steps(steps, options.checkpoints)
    torch.manual_seed(spec["seed"] * 1000 + rank)  # dropout differs between ranks, and is resumed
    done, state = checkpoint.load_newest(engine, run_folder)
    if rank == 0:
        _cut_metrics(run_folder / METRICS, done)
    updates = Updates(rows.clip_of_row, options.rows_per_update, spec["seed"])
    loader = Loader(rows, updates, rank, ranks, options.tokens_per_micro_batch)
    stopped = False
    with (run_folder / METRICS).open("a", encoding="utf-8") as metrics:
        started = time.monotonic()
        for work in loader.work(done, steps):
            waited = time.monotonic() - started
            rate = learning_rate(work.step, steps, options)
            result = optimise(engine, work, rows, rate, device, stop(), state.get("loss_limit"))
            seconds = time.monotonic() - started
            state.setdefault("loss_limit", options.loss_limit * result.loss)
            if rank == 0:
                record = {
                    "step": work.step,
                    "time": round(time.time(), 3),
                    "loss": result.loss,
                    "learning_rate": rate,
                    "grad_norm": result.grad_norm,
                    "target_tokens_per_s": round(result.target_tokens / seconds, 1),
                    "tokens_per_s": round(work.positions / seconds, 1),
                    "rows_per_s": round(work.rows / seconds, 2),
                    "seconds": round(seconds, 4),
                    "wait_s": round(waited, 4),
                    "rows": work.rows,
                    "epoch": round(work.epoch, 4),
                }
                _write(metrics, record)
            stopped = result.stop and work.step < steps
            if stopped or work.step in kept or work.step % options.save_every == 0:
                os.fsync(metrics.fileno())
                checkpoint.save(engine, run_folder, work.step, kept, state)
            if stopped:
                break
            started = time.monotonic()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return not stopped


def _write(metrics: Any, record: dict[str, Any]) -> None:
    metrics.write(json.dumps(record) + "\n")
    metrics.flush()


def _cut_metrics(path: Path, done: int) -> None:
    """Drop what an interrupted run recorded after the checkpoint that it continues from."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        kept = [line for line in lines if json.loads(line)["step"] <= done]
        write_text(path, "".join(line + "\n" for line in kept))
