"""The DeepSpeed engine: process group, optimiser and ZeRO for a model with few trainable weights."""

import os
from typing import Any

# DeepSpeed chooses its accelerator when it is imported; without a GPU it must not look for one.
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

import deepspeed
from torch import nn

from llast.config.experiment import TrainingOptions
from llast.errors import ConfigError
from llast.model.lora import trainable_parameters


def init_process_group() -> torch.device:
    """Join the process group that RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT describe.

    Returns:
        the device of this rank.

    Raises:
        ConfigError: there are more ranks than GPUs on this machine.
    """
    if torch.cuda.is_available():
        rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if rank >= gpus:
            raise ConfigError(
                f"{os.environ['LOCAL_WORLD_SIZE']} training processes on a node with {gpus} GPUs: each needs its own. "
                "Lower gpus-per-node in the profile, or --processes."
            )
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
        deepspeed.init_distributed(dist_backend="nccl", auto_mpi_discovery=False, verbose=False)
        return device
    # On a CPU, DeepSpeed would compile a shared-memory collective at start-up (a minute with a compiler, a crash
    # without one). Gloo needs none.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False, verbose=False)
    return torch.device("cpu")


def start_engine(model: nn.Module, options: TrainingOptions) -> Any:
    """A DeepSpeed engine over the model's trainable parameters, with torch's fused AdamW.

    One backward pass after the other accumulates; the caller marks the last of an update with
    `engine.set_gradient_accumulation_boundary`. Gradients are averaged over ranks by the engine.
    """
    parameters = trainable_parameters(model)
    optimizer = torch.optim.AdamW(
        parameters,
        lr=options.learning_rate,
        betas=options.betas,
        weight_decay=options.weight_decay,
        fused=True,
    )
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": options.clip_norm,
        "bf16": {"enabled": options.precision == "bf16"},
        # An update has many micro-batches; summed in bf16, their gradients would lose as much again as in one of them.
        "data_types": {"grad_accum_dtype": "fp32"},
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }
    config |= options.deepspeed
    zero = config.get("zero_optimization")
    if isinstance(zero, dict) and zero.get("stage", 0) in (1, 2):
        # Otherwise each of a thousand small gradients is copied by itself before they are reduced together.
        config["zero_optimization"] = {"contiguous_gradients": False, **zero}
    engine, *_ = deepspeed.initialize(
        model=model, model_parameters=parameters, optimizer=optimizer, config=config, dist_init_required=False
    )
    return engine
