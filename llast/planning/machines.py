"""What a Snakemake profile says that an estimate has to know: the configuration files and where the GPUs are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llast.config.yaml_file import read_yaml
from llast.errors import ConfigError

DEFAULT_CONFIG = Path("config/config.yaml")  # the Snakefile's own, which every other is laid over
FORMS: dict[str, tuple[type, ...]] = {
    "set-resources": (dict, list),
    "default-resources": (dict, list),
    "configfile": (str, list),
    "executor": (str,),
}
SITE = ("slurm_partition", "slurm_account", "slurm_extra", "container_image")


@dataclass(frozen=True)
class Machines:
    """Where training and decoding run.

    Attributes:
        train_gpus: GPUs of a training, over all nodes; 0: CPU.
        train_cores: processes times threads of a training on CPU.
        decode_gpus: GPUs of a job of decode; 0: CPU.
        configfiles: those of the profile.
        slurm: whether jobs are submitted to Slurm.
        partitions: all that the profile names.
        site: what it says in the words of the cluster (`SITE`), by rule; `*` for all.
    """

    train_gpus: int = 0
    train_cores: int = 2
    decode_gpus: int = 0
    configfiles: tuple[Path, ...] = ()
    slurm: bool = False
    partitions: tuple[str, ...] = ()
    site: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_profile(profile: Path | None) -> Machines:
    """Read `profile.yaml` in a folder, or the file itself; None: this machine, without GPUs.

    Raises:
        ConfigError: there is no such profile, or a number in it cannot be used.
    """
    if profile is None:
        return Machines()
    found = [path for path in (profile, profile / "profile.yaml", profile / "config.yaml") if path.is_file()]
    if not found:
        raise ConfigError(f"--profile: there is no profile.yaml in {profile}.")
    values = read_yaml(found[0])
    for key, form in FORMS.items():
        if not isinstance(values.get(key), (*form, type(None))):
            raise ConfigError(f"{found[0]}: '{key}': {values[key]!r:.60} is of no form that Snakemake reads.")
    resources = _by_rule(values.get("set-resources"))
    train, decode = resources.get("train", {}), resources.get("decode", {})

    def whole(rule: str, name: str, default: int, least: int) -> int:
        """A count that the profile gives a rule."""
        value = resources.get(rule, {}).get(name, default)
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(value) < least:
            raise ConfigError(
                f"{found[0]}: 'set-resources.{rule}.{name}': must be a whole number of at least {least}, not {value!r}."
            )
        return int(value)

    nodes = whole("train", "nodes", 1, 1)
    files = values.get("configfile") or []
    everywhere = {"*": _settings(values.get("default-resources")), **resources}
    site = {
        rule: {name: str(settings[name]) for name in SITE if settings.get(name)}
        for rule, settings in everywhere.items()
    }
    partitions = [texts["slurm_partition"] for texts in site.values() if "slurm_partition" in texts]
    return Machines(
        train_gpus=nodes * whole("train", "gpus_per_node", 0, 0),
        train_cores=nodes * whole("train", "tasks_per_node", 2, 1) * whole("train", "cpus_per_task", 1, 1),
        decode_gpus=whole("decode", "gpu", 0, 0) or int("gres" in decode),
        configfiles=tuple(Path(str(file)) for file in ([files] if isinstance(files, str) else files)),
        slurm=values.get("executor") == "slurm" or train.get("cluster") == "slurm",
        partitions=tuple(dict.fromkeys(partitions)),
        site={rule: texts for rule, texts in site.items() if texts},
    )


def _settings(values: Any) -> dict[str, Any]:
    """`default-resources`: a map, or a list of `name=value`."""
    if isinstance(values, Mapping):
        return dict(values)
    return {name: value for name, _, value in (str(item).partition("=") for item in values or [])}


def _by_rule(values: Any) -> dict[str, dict[str, Any]]:
    """`set-resources` by rule: a map of maps, or a list of `rule:name=value`."""
    if isinstance(values, Mapping):
        return {rule: dict(named) for rule, named in values.items() if isinstance(named, Mapping)}
    rules: dict[str, dict[str, Any]] = {}
    for item in values or []:
        rule, _, setting = str(item).partition(":")
        name, _, value = setting.partition("=")
        rules.setdefault(rule, {})[name] = value
    return rules


def merged_configuration(given: Sequence[Path], profile: Machines) -> tuple[dict[str, Any], list[Path]]:
    """The values that Snakemake would have: the default file, then those given, or else the profile's.

    Raises:
        ConfigError: a file does not exist or cannot be read.
    """
    over = list(given) or list(profile.configfiles)
    files = ([DEFAULT_CONFIG] if DEFAULT_CONFIG.is_file() or not over else []) + over
    values: dict[str, Any] = {}
    for file in files:
        values |= read_yaml(file)
    return values, files
