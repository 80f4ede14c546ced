"""One rank of a training run: what submitit starts on every process."""

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import transformers

from llast.artifacts import read_json, write_text
from llast.config.steps import TrainSpec
from llast.model.lora import add_adapters
from llast.model.modeling import DTYPES, LlastForConditionalGeneration
from llast.model.processing import LlastProcessor
from llast.training import checkpoint
from llast.training.batches import TrainingRows
from llast.training.engine import init_process_group, start_engine
from llast.training.updates import Item, Updates, checkpoint_steps, learning_rate, micro_batches, total_steps

METRICS = "metrics.jsonl"


class TrainingDiverged(RuntimeError):
    """The loss is not a number."""


def train(run_folder: Path) -> None:
    """Train to the end, from the newest complete checkpoint of `run_folder`; every rank runs this.

    `run_folder/spec.json` says what to train (see `llast.launch`). Appends a record per step to `metrics.jsonl`.

    Raises:
        TrainingDiverged: the loss is not finite; names the clips of the update.
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
    )
    if options.gradient_checkpointing:
        model.encoder.activation_checkpointing_enable({"use_reentrant": False})
        model.llm.activation_checkpointing_enable({"use_reentrant": False})
    adapted = add_adapters(model, train_spec.encoder.lora, train_spec.llm.lora)
    adapted.to(device)  # type: ignore[arg-type]
    adapted.train()
    engine = start_engine(adapted, options)

    processor = LlastProcessor.from_pretrained(Path(spec["llm"]), train_spec.llm.template)
    rows = TrainingRows(
        Path(spec["mix"]), [Path(path) for path in spec["audio"]], processor, train_spec.adaptor.stack
    )
    steps = total_steps(len(rows), options)
    kept = checkpoint_steps(steps, options.checkpoints)
    torch.manual_seed(spec["seed"] * 1000 + rank)  # dropout differs between ranks, and is resumed
    done = checkpoint.load_newest(engine, run_folder)
    if rank == 0:
        _cut_metrics(run_folder / METRICS, done)
    schedule = _schedule(Updates(rows.clip_of_row, options.rows_per_update, spec["seed"]), done, steps)
    loader = _Loader(rows, schedule, rank, ranks, options.tokens_per_micro_batch)
    with (run_folder / METRICS).open("a", encoding="utf-8") as metrics:
        for step, epoch, update, batches in loader:
            started = time.monotonic()
            rate = learning_rate(step, steps, options)
            for group in engine.optimizer.param_groups:
                group["lr"] = rate
            tokens = rows.target_tokens(update)
            loss = _update(engine, batches, tokens, ranks, device)
            if not math.isfinite(loss):
                clips = " ".join(sorted({rows.name(item) for item in update}))
                raise TrainingDiverged(f"loss {loss} at step {step}; clips of the update: {clips}")
            if rank == 0:
                record = {
                    "step": step,
                    "time": round(time.time(), 3),
                    "loss": loss,
                    "learning_rate": rate,
                    "grad_norm": float(engine.get_global_grad_norm()),
                    "target_tokens_per_s": round(tokens / (time.monotonic() - started), 1),
                    "rows": sum(len(item.rows) for item in update),
                    "epoch": round(epoch, 4),
                }
                metrics.write(json.dumps(record) + "\n")
                metrics.flush()
            if step in kept or step % options.save_every == 0:
                checkpoint.save(engine, run_folder, step, kept)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _update(
    engine: Any, batches: list[dict[str, torch.Tensor]], tokens: int, ranks: int, device: torch.device
) -> float:
    """One optimiser step over this rank's micro-batches; returns the mean loss per target token of all ranks.

    The engine averages gradients over ranks, so each summed loss is divided by the update's global count of target
    tokens and multiplied by the number of ranks: the result does not depend on who holds which row.
    """
    total = torch.zeros(1, dtype=torch.float64)
    for number, batch in enumerate(batches):
        engine.set_gradient_accumulation_boundary(number == len(batches) - 1)
        weight = batch.pop("weight").item()
        loss = engine(**{name: tensor.to(device) for name, tensor in batch.items()}).loss * weight
        engine.backward(loss * (ranks / tokens))
        engine.step()
        total += loss.detach().double().cpu()
    total = total.to(device) if device.type == "cuda" else total
    torch.distributed.all_reduce(total)
    return float(total.item() / tokens)


def _schedule(updates: Updates, done: int, steps: int) -> Iterator[tuple[int, float, list[Item]]]:
    """(step, epoch, update) for the steps after `done`, epoch after epoch."""
    for epoch in range(done // updates.per_epoch, math.ceil(steps / updates.per_epoch)):
        for number, update in enumerate(updates.epoch(epoch)):
            step = epoch * updates.per_epoch + number + 1
            if done < step <= steps:
                yield step, step / updates.per_epoch, update


class _Loader:
    """Reads the audio of coming updates in a thread while the present one trains."""

    def __init__(
        self,
        rows: TrainingRows,
        schedule: Iterator[tuple[int, float, list[Item]]],
        rank: int,
        ranks: int,
        budget: int,
    ) -> None:
        self._rows, self._schedule, self._rank, self._ranks, self._budget = (
            rows,
            schedule,
            rank,
            ranks,
            budget,
        )

    def __iter__(self) -> Iterator[tuple[int, float, list[Item], list[dict[str, torch.Tensor]]]]:
        with ThreadPoolExecutor(max_workers=1) as pool:
            ahead = []
            for step, epoch, update in self._schedule:
                ahead.append((step, epoch, update, pool.submit(self._batches, update)))
                if len(ahead) > 2:
                    *head, future = ahead.pop(0)
                    yield *head, future.result()  # type: ignore[misc]
            for *head, future in ahead:
                yield *head, future.result()  # type: ignore[misc]

    def _batches(self, update: list[Item]) -> list[dict[str, torch.Tensor]]:
        lengths = [self._rows.length(item) for item in update]
        batches = []
        for items in micro_batches(update, lengths, self._ranks, self._budget)[self._rank]:
            # With fewer clips than ranks, a rank repeats one without counting it: collectives need every rank.
            batch = self._rows.batch(items or update[:1])
            batch["weight"] = torch.tensor(1.0 if items else 0.0)
            batches.append(batch)
        return batches


def _cut_metrics(path: Path, done: int) -> None:
    """Drop what an interrupted run recorded after the checkpoint that it continues from."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        kept = [line for line in lines if json.loads(line)["step"] <= done]
        write_text(path, "".join(line + "\n" for line in kept))
