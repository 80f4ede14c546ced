"""One rank of a training run: what submitit starts on every process."""

import math
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

from llast.artifacts.corpus import MixSummary
from llast.artifacts.training import CheckpointRecord, RunSpec, TrainingRecord
from llast.config.experiment import TrainingOptions
from llast.model.checkpointing import checkpoint_activations, memory_asks
from llast.model.compilation import can_compile, compile_blocks
from llast.model.lora import add_adapters
from llast.model.modeling import LlastForConditionalGeneration
from llast.model.prefix import require_readable
from llast.model.processing import LlastProcessor
from llast.training import checkpoint
from llast.training.dataset import TrainingRows
from llast.training.dev import dev_loss
from llast.training.engine import init_process_group, start_engine
from llast.training.identity import settings_of
from llast.training.loader import Loader
from llast.training.packing import check_packing
from llast.training.run_folder import RunFolder, as_line
from llast.training.sampler import UpdateSampler
from llast.training.schedule import checkpoint_steps, learning_rate, total_steps
from llast.training.step import optimise
from llast.training.usage import usage

PROBED = 2
"""Clips whose activations say what a micro-batch needs."""


@dataclass(frozen=True)
class Trainer:
    """What one rank trains with.

    Attributes:
        spec: what is trained.
        engine: the DeepSpeed engine around the model with its adapters.
        rows: the rows to train on.
        dev: rows to measure the loss on, if there are any.
        packed: whether rows are packed into sequences.
        alike: whether the encoder pads clips, so that those of a micro-batch should be about equally long.
        device: of this rank.
    """

    spec: RunSpec
    engine: Any
    rows: TrainingRows
    dev: TrainingRows | None
    packed: bool
    alike: bool
    device: torch.device

    @property
    def options(self) -> TrainingOptions:
        """The training options of the experiment."""
        return self.spec.options.training

    def loader(self) -> Loader:
        """This rank's part of every update."""
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        sampler = UpdateSampler(self.rows.clip_of_row, self.options.rows_per_update, self.spec.seed)
        budget = self.options.tokens_per_micro_batch
        return Loader(self.rows, sampler, rank, ranks, budget, self.packed, self.alike)

    def dev_loss(self) -> float | None:
        """The loss on the dev rows; None without any, or where it is not a number."""
        if self.dev is None:
            return None
        budget = self.options.tokens_per_micro_batch
        loss = dev_loss(self.engine, self.dev, budget, self.packed, self.alike, self.device)
        if math.isfinite(loss):
            return loss
        print(f"the loss on the dev rows is {loss}: it is left out", file=sys.stderr, flush=True)
        return None


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
    run, trainer = RunFolder(run_folder), set_up(run_folder)
    spec, options = trainer.spec, trainer.options
    steps = total_steps(len(trainer.rows), options)
    kept = checkpoint_steps(steps, options.checkpoints)
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    if rank == 0:
        checkpoint.sweep_unfinished(run)
    resumed = checkpoint.load_newest(trainer.engine, run, spec)
    done = resumed.step if resumed else 0
    first_loss = resumed.first_loss if resumed else None
    if rank == 0:
        run.cut_records(done)
    stopped = False
    with run.metrics.open("a", encoding="utf-8") as metrics:
        began = time.monotonic()
        for update in trainer.loader().updates(done, steps):
            waited = time.monotonic() - began
            rate = learning_rate(update.step, steps, options)
            limit = options.loss_limit * first_loss if first_loss else None  # of no use where the first was 0
            result = optimise(trainer.engine, update, trainer.rows, rate, trainer.device, stop(), limit)
            seconds = time.monotonic() - began
            first_loss = result.loss if first_loss is None else first_loss
            measure = update.step % options.dev_every == 0 or update.step == steps
            record = TrainingRecord(
                step=update.step,
                time=round(time.time(), 3),
                loss=result.loss,
                learning_rate=rate,
                grad_norm=result.grad_norm,
                target_tokens_per_s=round(update.target_tokens / seconds, 1),
                tokens_per_s=round(update.positions / seconds, 1),
                rows_per_s=round(update.rows / seconds, 2),
                seconds=round(seconds, 4),
                wait_s=round(waited, 4),
                rows=update.rows,
                epoch=round(update.epoch, 4),
                dev_loss=trainer.dev_loss() if measure else None,
                **usage(trainer.device),
            )
            if rank == 0:
                metrics.write(as_line(record))
                metrics.flush()
            stopped = result.stop and update.step < steps
            if stopped or update.step in kept or update.step % options.save_every == 0:
                os.fsync(metrics.fileno())
                made = CheckpointRecord(
                    step=update.step,
                    identity=spec.identity,
                    settings=settings_of(spec.options, spec.machine, ranks),
                    changes=resumed.changes if resumed else [],
                    first_loss=first_loss,
                )
                checkpoint.save(trainer.engine, run, made, kept)
            if stopped:
                break
            began = time.monotonic()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return not stopped


def set_up(run_folder: Path) -> Trainer:
    """Set up this rank: join the process group and load all that `run_folder/spec.json` asks for."""
    run = RunFolder(run_folder)
    spec = RunSpec.read(run.spec)
    options = spec.options
    torch.set_num_threads(spec.machine.threads)
    transformers.utils.logging.disable_progress_bar()
    device = init_process_group()

    torch.manual_seed(spec.seed)
    model = LlastForConditionalGeneration.from_spec(options, spec.encoder, spec.llm)
    adapted = add_adapters(model, options.encoder.lora, options.llm.lora)
    adapted.to(device)  # type: ignore[arg-type]
    adapted.train()

    processor = LlastProcessor.from_llm(spec.llm, options.llm.template)
    rows = TrainingRows(spec.mix, spec.audio, processor, options.adaptor.stack)
    has_dev = MixSummary.read(spec.mix).details.dev_rows > 0
    dev = TrainingRows(spec.mix, spec.audio, processor, options.adaptor.stack, "dev") if has_dev else None
    require_readable(model.llm)  # what cannot be decoded from is not worth a training
    for some in (rows, dev):
        if some is not None:
            some.check_positions(model.llm)
    model.packs_rows = _packs_rows(model, rows, device, run)
    _prepare_blocks(adapted, model, rows, options.training, device)
    engine = start_engine(adapted, options.training)
    return Trainer(spec, engine, rows, dev, model.packs_rows, model.speech.pads_clips, device)


def _packs_rows(
    model: LlastForConditionalGeneration, rows: TrainingRows, device: torch.device, run: RunFolder
) -> bool:
    """What all ranks agree on; rank 0 writes it down."""
    found = check_packing(model, rows)
    agreed = torch.tensor(float(found.packed), device=device)
    torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MIN)
    packed = bool(agreed > 0)
    if torch.distributed.get_rank() == 0:
        found.model_copy(update={"packed": packed}).write(run.packing)
        if not packed:
            print(f"a sequence per row, not per clip: {found.reason}", file=sys.stderr, flush=True)
    return packed


def _probe(
    rows: TrainingRows, options: TrainingOptions, packed: bool, device: torch.device
) -> tuple[dict[str, torch.Tensor], float]:
    """A batch of a few clips of middling length, and how many times as large a micro-batch may be."""
    update = next(UpdateSampler(rows.clip_of_row, options.rows_per_update, seed=0).epoch(0))
    update.sort(key=rows.length)
    few = update[len(update) // 2 :][:PROBED]
    ranks = torch.distributed.get_world_size()
    largest = min(options.tokens_per_micro_batch, math.ceil(sum(map(rows.length, update)) / ranks))
    batch = {name: tensor.to(device) for name, tensor in rows.batch(few, packed).items()}
    return batch, largest / sum(map(rows.length, few))


def _prepare_blocks(
    adapted: torch.nn.Module,
    model: LlastForConditionalGeneration,
    rows: TrainingRows,
    options: TrainingOptions,
    device: torch.device,
) -> None:
    """Have activations computed again if memory asks, and blocks compiled where that can be; alike on all ranks."""
    batch, times = _probe(rows, options, model.packs_rows, device)
    first = torch.distributed.get_rank() == 0
    again = options.gradient_checkpointing
    if again is None:
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", torch.distributed.get_world_size()))
        again = _on_any_rank(memory_asks(adapted, batch, times, processes), device)
        if again and first:
            print(
                "activations are computed again: there is not the memory to keep them",
                file=sys.stderr,
                flush=True,
            )
    if again:
        checkpoint_activations(model.encoder)
        checkpoint_activations(model.llm)
    partitioned = (
        options.deepspeed.get("zero_optimization", {}).get("stage") == 3
    )  # weights come and go by hooks
    wanted = options.compile
    if wanted is None:
        wanted = can_compile(device) and not again and not partitioned
    if wanted:
        reason = compile_blocks(adapted, batch)
        if reason and first:
            print(f"blocks are not compiled: {reason}", file=sys.stderr, flush=True)


def _on_any_rank(value: bool, device: torch.device) -> bool:
    agreed = torch.tensor(float(value), device=device)
    torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MAX)
    return bool(agreed > 0)
