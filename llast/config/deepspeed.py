"""What an experiment may say of the DeepSpeed engine: how weights and gradients are divided and sent, nothing else.

The keys are DeepSpeed's own (https://www.deepspeed.ai/docs/config-json/); a test looks each up in its models.
"""

from typing import Any, Literal

from pydantic import Field

from llast.config.base import Model, first_of_another_kind
from llast.config.plain import did_you_mean


class OffloadOptions(Model):
    """Where ZeRO-3 keeps weights that no layer needs just now."""

    device: Literal["none", "cpu"] = "none"
    pin_memory: bool = True


class ZeroOptions(Model):
    """How ranks divide optimiser state (stage 1), gradients too (2), and weights too (3)."""

    stage: Literal[1, 2, 3]
    contiguous_gradients: bool = True
    reduce_scatter: bool = True
    reduce_bucket_size: int = Field(500_000_000, ge=1)
    allgather_partitions: bool = True
    allgather_bucket_size: int = Field(500_000_000, ge=1)
    overlap_comm: bool | None = None
    round_robin_gradients: bool = False
    sub_group_size: int = Field(1_000_000_000, ge=1)
    stage3_prefetch_bucket_size: int = Field(50_000_000, ge=0)
    stage3_param_persistence_threshold: int = Field(100_000, ge=0)
    stage3_max_live_parameters: int = Field(1_000_000_000, ge=0)
    stage3_max_reuse_distance: int = Field(1_000_000_000, ge=0)
    zero_hpz_partition_size: int = Field(1, ge=1)
    offload_param: OffloadOptions | None = None


class EngineOptions(Model):
    """What is passed to the engine."""

    zero_optimization: ZeroOptions
    communication_data_type: Literal["fp32", "bf16"] | None = None
    comms_logger: dict[str, Any] | None = None
    wall_clock_breakdown: bool = False
    memory_breakdown: bool = False


OWNED = {
    "train_batch_size": "training.rows_per_update",
    "train_micro_batch_size_per_gpu": "training.tokens_per_micro_batch",
    "gradient_accumulation_steps": "training.rows_per_update and training.tokens_per_micro_batch",
    "managed_gradient_accumulation": "training.rows_per_update",
    "gradient_clipping": "training.clip_norm",
    "optimizer": "training.learning_rate, training.betas and training.weight_decay",
    "scheduler": "training.learning_rate and training.warmup",
    "bf16": "training.precision",
    "fp16": "training.precision",
    "amp": "training.precision",
    "torch_autocast": "training.precision",
    "data_types": "training.precision",
    "activation_checkpointing": "training.gradient_checkpointing",
    "checkpoint": "training.save_every and training.checkpoints",
}
"""Keys of DeepSpeed that the trainer sets, from keys of ours: set twice, the two would contradict each other."""


def check_engine(values: dict[str, Any]) -> dict[str, Any]:
    """Options of the engine as they are: only what is said is passed on, all else is DeepSpeed's default.

    Raises:
        ValueError: a key that the trainer sets, that does not exist here, or a value that it cannot have.
    """
    known = tuple(EngineOptions.model_fields)
    for key in values:
        if key in OWNED:
            raise ValueError(
                f"'{key}' is the trainer's: set {OWNED[key]}. What may be set: {', '.join(known)}."
            )
        if key not in known:
            raise ValueError(f"'{key}' may not be set.{did_you_mean(key, known)}")
    zero = values.get("zero_optimization")
    for key in zero if isinstance(zero, dict) else ():
        if key not in ZeroOptions.model_fields:
            raise ValueError(
                f"'zero_optimization.{key}' may not be set.{did_you_mean(key, tuple(ZeroOptions.model_fields))}"
            )
    if unlike := first_of_another_kind(EngineOptions, values):
        raise ValueError(f"'{'.'.join(unlike[0])}' {unlike[1]}.")
    EngineOptions.model_validate(values)
    return values
