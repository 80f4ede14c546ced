"""One rank of a training run: what submitit starts on every process."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import transformers

from llast.artifacts import read_json, read_summary, write_json, write_text
from llast.config.experiment import TrainingOptions
from llast.config.steps import TrainSpec
from llast.model.checkpointing import checkpoint_activations
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training import checkpoint
from llast.training.dataset import TrainingRows
from llast.training.dev import dev_loss
from llast.training.engine import init_process_group, start_engine
from llast.training.loader import Loader
from llast.training.packing import check_packing
from llast.training.sampler import UpdateSampler
from llast.training.schedule import checkpoint_steps, learning_rate, total_steps
from llast.training.step import optimise
from llast.training.usage import usage

METRICS = "metrics.jsonl"
PACKING = "packing.json"
"""Whether the rows of a clip are packed into one sequence, and if not, why."""


@dataclass(frozen=True)
class Trainer:
    """What one rank trains with.

    Attributes:
        options: of the training.
        engine: the DeepSpeed engine around the model with its adapters.
        rows: the rows to train on.
        dev: rows to measure the loss on, if there are any.
        packed: whether the rows of a clip are packed into one sequence.
        seed: of the run.
        made_by: what decides the weights of a run, besides its rows and bases.
        device: of this rank.
    """

    options: TrainingOptions
    engine: Any
    rows: TrainingRows
    dev: TrainingRows | None
    packed: bool
    seed: int
    made_by: dict[str, Any]
    device: torch.device

    def loader(self) -> Loader:
        """This rank's part of every update."""
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        sampler = UpdateSampler(self.rows.clip_of_row, self.options.rows_per_update, self.seed)
        return Loader(self.rows, sampler, rank, ranks, self.options.tokens_per_micro_batch, self.packed)


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
    trainer = set_up(run_folder)
    options = trainer.options
    steps = total_steps(len(trainer.rows), options)
    kept = checkpoint_steps(steps, options.checkpoints)
    rank = torch.distributed.get_rank()
    torch.manual_seed(trainer.seed * 1000 + rank)  # dropout differs between ranks, and is resumed
    done, state = checkpoint.load_newest(trainer.engine, run_folder, trainer.made_by)
    if rank == 0:
        _cut_metrics(run_folder / METRICS, done)
    stopped = False
    with (run_folder / METRICS).open("a", encoding="utf-8") as metrics:
        began = time.monotonic()
        for update in trainer.loader().updates(done, steps):
            waited = time.monotonic() - began
            rate = learning_rate(update.step, steps, options)
            result = optimise(
                trainer.engine, update, trainer.rows, rate, trainer.device, stop(), state.get("loss_limit")
            )
            seconds = time.monotonic() - began
            state.setdefault("loss_limit", options.loss_limit * result.loss)
            record = {
                "step": update.step,
                "time": round(time.time(), 3),
                "loss": result.loss,
                "learning_rate": rate,
                "grad_norm": result.grad_norm,
                "target_tokens_per_s": round(update.target_tokens / seconds, 1),
                "tokens_per_s": round(update.positions / seconds, 1),
                "rows_per_s": round(update.rows / seconds, 2),
                "seconds": round(seconds, 4),
                "wait_s": round(waited, 4),
                "rows": update.rows,
                "epoch": round(update.epoch, 4),
                **usage(trainer.device),
            }
            if trainer.dev is not None and (update.step % options.dev_every == 0 or update.step == steps):
                budget = options.tokens_per_micro_batch
                record["dev_loss"] = dev_loss(
                    trainer.engine, trainer.dev, budget, trainer.packed, trainer.device
                )
            if rank == 0:
                metrics.write(json.dumps(record) + "\n")
                metrics.flush()
            stopped = result.stop and update.step < steps
            if stopped or update.step in kept or update.step % options.save_every == 0:
                os.fsync(metrics.fileno())
                checkpoint.save(trainer.engine, run_folder, update.step, kept, state, trainer.made_by)
            if stopped:
                break
            began = time.monotonic()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return not stopped


def set_up(run_folder: Path) -> Trainer:
    """Set up this rank: join the process group and load all that `run_folder/spec.json` asks for."""
    spec = read_json(run_folder / "spec.json")
    train_spec = TrainSpec.model_validate(spec["options"])
    options = train_spec.training
    torch.set_num_threads(spec["threads"])
    transformers.utils.logging.disable_progress_bar()
    device = init_process_group()

    torch.manual_seed(spec["seed"])
    model = LlastForConditionalGeneration.from_spec(train_spec, Path(spec["encoder"]), Path(spec["llm"]))
    if options.gradient_checkpointing:
        checkpoint_activations(model.encoder)
        checkpoint_activations(model.llm)
    adapted = add_adapters(model, train_spec.encoder.lora, train_spec.llm.lora)
    adapted.to(device)  # type: ignore[arg-type]
    adapted.train()

    processor = LlastProcessor.from_llm(Path(spec["llm"]), train_spec.llm.template)
    mix, audio = Path(spec["mix"]), [Path(path) for path in spec["audio"]]
    rows = TrainingRows(mix, audio, processor, train_spec.adaptor.stack)
    has_dev = read_summary(mix).details.get("dev_rows", 0) > 0
    dev = TrainingRows(mix, audio, processor, train_spec.adaptor.stack, "dev") if has_dev else None
    model.packs_rows = _packs_rows(model, rows, device, run_folder / PACKING)
    engine = start_engine(adapted, options)
    made_by = {name: spec[name] for name in ("options", "seed", "threads")}
    made_by["world_size"] = torch.distributed.get_world_size()
    return Trainer(options, engine, rows, dev, model.packs_rows, spec["seed"], made_by, device)


def _packs_rows(
    model: LlastForConditionalGeneration, rows: TrainingRows, device: torch.device, path: Path
) -> bool:
    """What all ranks agree on; rank 0 writes it down."""
    found = check_packing(model, rows)
    agreed = torch.tensor(float(found.packed), device=device)
    torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MIN)
    packed = bool(agreed > 0)
    if torch.distributed.get_rank() == 0:
        write_json(path, {"packed": packed, "reason": found.reason})
        if not packed:
            print(f"a sequence per row, not per clip: {found.reason}", file=sys.stderr, flush=True)
    return packed


def _cut_metrics(path: Path, done: int) -> None:
    """Drop what an interrupted run recorded after the checkpoint that it continues from."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        kept = [line for line in lines if json.loads(line)["step"] <= done]
        write_text(path, "".join(line + "\n" for line in kept))
