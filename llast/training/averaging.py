"""The mean of a run's last checkpoints, as one folder of adapters."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from llast.artifacts import follow_umask, read_json, write_text
from llast.artifacts.run import Run
from llast.training.run_folder import CheckpointFolder


def average_adapters(folders: list[Path], output: Path) -> None:
    """Write the adapter whose effect on every weight is the mean of the effects of several.

    LoRA adds B A to a weight. The mean of A times the mean of B is not the mean of the products: it has cross terms
    between checkpoints, as large as their factors have moved apart. Here the A of all are stacked and the B of all,
    each divided by their number, stand side by side: the product of the two is the mean of the products, exactly, at
    the price of a rank that is as many times larger (it is merged into the bases before decoding). The adaptor is no
    product; its weights are averaged as they are.

    Args:
        folders: adapters of the same run, in float32 or bf16.
        output: folder to write.
    """
    output.mkdir(parents=True, exist_ok=True)
    (name,) = (file.name for file in folders[0].glob("*.safetensors"))
    tensors = [load_file(folder / name) for folder in folders]
    mean = {}
    for key in tensors[0]:
        each = [checkpoint[key].float() for checkpoint in tensors]
        if ".lora_A." in key:
            mean[key] = torch.cat(each, dim=0)
        elif ".lora_B." in key:
            mean[key] = torch.cat(each, dim=1) / len(each)
        else:
            mean[key] = torch.stack(each).mean(dim=0)
    save_file(mean, output / name, {"format": "pt"})
    config = folders[0] / "adapter_config.json"
    if config.exists():  # not where the adaptor alone is trained
        value = _wider(read_json(config), len(folders))
        write_text(output / config.name, json.dumps(value, indent=2, sort_keys=True))
    follow_umask(output)


def _wider(config: dict[str, Any], times: int) -> dict[str, Any]:
    """Ranks and alphas so many times larger: their ratio, which scales the product, stays."""
    patterns = {
        name: {pattern: value * times for pattern, value in config[name].items()}
        for name in ("rank_pattern", "alpha_pattern")
    }
    return config | patterns | {name: config[name] * times for name in ("r", "lora_alpha")}


def evaluated_adapter(run: Path, checkpoint: int, count: int, folder: Path) -> Path | None:
    """The folder of the adapter that stands for a checkpoint: its own, or the mean of the last `count` up to it.

    None for a baseline, which has no adapters.

    Args:
        run: `run.json` of the step `train`.
        checkpoint: number of the checkpoint, from 1.
        count: how many are averaged; the first checkpoints of a run have fewer before them.
        folder: where a mean is written.
    """
    last = Run.read(run).checkpoints[max(0, checkpoint - count) : checkpoint]
    adapters = [CheckpointFolder(run.parent / saved.folder).adapter for saved in last if saved.folder]
    if not adapters:
        return None
    if len(adapters) == 1:
        return adapters[0]
    average_adapters(adapters, folder)
    return folder
