"""Parameters in which training runs differ, as flat names and short values."""

from collections.abc import Iterator
from typing import Any


def varying_params(configs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """For each `run.json`, its experiment, its seed, and those options that are not the same in all runs.

    Names are dotted (`encoder.lora.rank`), lists are joined by spaces. An option that a run does not have, such as the
    rank of an adapter that it goes without, is left out.
    """
    flat = [dict(_flatten(config["options"])) for config in configs]
    names = sorted({name for options in flat for name in options})
    varying = [name for name in names if len({options.get(name) for options in flat}) > 1]
    return [
        {
            "experiment": config["experiment"],
            "seed": str(config["seed"]),
            **{name: options[name] for name in varying if name in options},
        }
        for config, options in zip(configs, flat, strict=True)
    ]


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, (list, tuple)):
        yield prefix, " ".join(str(item) for item in value)
    elif value is not None:
        yield prefix, str(value)
