"""What decides the weights of a run, what only changes their rounding, and what does neither.

A run's folder is named by the hash of its identity. A run goes on from its last checkpoint whatever else has changed.
"""

from pathlib import Path
from typing import Any, Literal

from llast.artifacts import sha256_of
from llast.artifacts.corpus import ResampleSummary
from llast.artifacts.training import Change, CheckpointRecord, Settings
from llast.config.steps import STEP_VERSIONS, Machine, TrainSpec
from llast.mixture.rows import rows_path
from llast.model.bases import base_identity

Effect = Literal["decides", "by content", "kept steps", "rounding", "neither"]

EFFECTS: dict[str, Effect] = {
    "experiment": "neither",
    "seed": "decides",
    "mix": "by content",
    "audio": "by content",
    "encoder": "by content",
    "llm": "by content",
    "output": "neither",
    "options.kind": "decides",
    "options.encoder.base": "by content",
    "options.encoder.window": "decides",
    "options.encoder.lora.rank": "decides",
    "options.encoder.lora.alpha": "decides",
    "options.encoder.lora.dropout": "decides",
    "options.encoder.lora.targets": "decides",
    "options.adaptor.stack": "decides",
    "options.llm.base": "by content",
    "options.llm.template": "decides",
    "options.llm.load_in_4bit": "decides",
    "options.llm.lora.rank": "decides",
    "options.llm.lora.alpha": "decides",
    "options.llm.lora.dropout": "decides",
    "options.llm.lora.targets": "decides",
    "options.mixture.pairs": "by content",
    "options.mixture.tasks": "by content",
    "options.mixture.en_x_step": "by content",
    "options.mixture.temperature": "by content",
    "options.mixture.speeds": "by content",
    "options.mixture.dev_rows": "neither",
    "options.mixture.leakage": "by content",
    "options.training.epochs": "decides",
    "options.training.max_steps": "decides",
    "options.training.rows_per_update": "decides",
    "options.training.tokens_per_micro_batch": "rounding",
    "options.training.learning_rate": "decides",
    "options.training.warmup": "decides",
    "options.training.betas": "decides",
    "options.training.weight_decay": "decides",
    "options.training.clip_norm": "decides",
    "options.training.loss_limit": "neither",
    "options.training.checkpoints": "kept steps",
    "options.training.save_every": "neither",
    "options.training.dev_every": "neither",
    "options.training.precision": "decides",
    "options.training.gradient_checkpointing": "rounding",
    "options.training.compile": "rounding",
    "options.training.deepspeed": "decides",
    "machine.cluster": "neither",
    "machine.nodes": "rounding",
    "machine.tasks_per_node": "rounding",
    "machine.gpus_per_node": "rounding",
    "machine.threads": "rounding",
    "machine.minutes": "neither",
    "machine.memory_mb": "neither",
    "machine.partition": "neither",
    "machine.account": "neither",
    "machine.extra": "neither",
    "machine.container": "rounding",
}
"""Effect on the weights of each argument of `llast.launch.train.launch`, by dotted key.

`decides`: its value is part of the identity. `by content`: it decides which files are read, and the identity has what
is in them: the digest of the training rows, of the audio, of bases in folders, the commit of bases from the hub. `kept
steps`: the same weights after the same step, but other steps are kept; part of the identity too, since a step that was
not kept cannot be had without training again. `rounding`: sums are taken in another order, over other pieces, on
another device or by other versions, and dropout is drawn anew; of a container only its path is seen. `neither`: the
same weights to the bit.
"""

OPTIONS = "options."


def identity_of(
    seed: int, mix: Path, audio: list[Path], encoder: Path, llm: Path, options: TrainSpec
) -> dict[str, Any]:
    """All that decides the weights of a run, as JSON: by dotted key.

    Args:
        seed: seed of the run.
        mix: summary of the step `mix`.
        audio: summaries of the step `resample`, one per source language.
        encoder: folder of the speech encoder.
        llm: folder of the causal LM.
        options: model and training.
    """
    values = _values(options, ("decides", "kept steps"))
    if options.training.max_steps is not None:
        values["training.epochs"] = None  # max_steps overrides it
    return {
        "version": STEP_VERSIONS["train"],
        "seed": seed,
        "rows": sha256_of(rows_path(mix)),
        "audio": {summary.parent.name: ResampleSummary.read(summary).details.audio for summary in audio},
        "encoder.base": base_identity(options.encoder.base, encoder),
        "llm.base": base_identity(options.llm.base, llm),
        **values,
    }


def settings_of(options: TrainSpec, machine: Machine, processes: int) -> Settings:
    """What a run on so many processes may go on with another value of."""
    return Settings(
        processes=processes,
        threads=machine.threads,
        gpus_per_node=machine.gpus_per_node,
        container=machine.container,
        options=_values(options, ("rounding", "neither")),
    )


def rounds(change: Change) -> bool:
    """Whether a change gives other weights, by rounding and by the draws of dropout."""
    return change.option in Settings.model_fields or EFFECTS[OPTIONS + change.option] == "rounding"


def changes_since(record: CheckpointRecord, settings: Settings) -> list[Change]:
    """The settings that differ from those that a checkpoint was made with."""
    before = record.settings.by_key()
    return [
        Change(step=record.step, option=option, before=before.get(option), after=value)
        for option, value in settings.by_key().items()
        if before.get(option) != value
    ]


def _values(options: TrainSpec, effects: tuple[Effect, ...]) -> dict[str, Any]:
    """Values of the options that have one of these effects, by dotted key."""
    value = options.model_dump(mode="json")
    names = [name for name, effect in EFFECTS.items() if name.startswith(OPTIONS) and effect in effects]
    return {name: _value(value, name) for name in (name.removeprefix(OPTIONS) for name in names)}


def _value(value: Any, name: str) -> Any:
    for key in name.split("."):
        value = None if value is None else value[key]  # a base without LoRA has none of its options
    return value
