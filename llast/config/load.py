"""Loading configurations: files with what they extend, and models with errors that name file and key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llast.config.corpus import CorpusConfig
from llast.config.evaluation_only import KINDS, Experiment
from llast.config.experiment import ExperimentConfig
from llast.config.layout import NAME
from llast.config.plain import Key, did_you_mean
from llast.config.validation import holds, validate
from llast.config.workflow import WorkflowConfig
from llast.config.yaml_file import read_yaml
from llast.errors import ConfigError

MOST_ANCESTORS = 50


def load_workflow(values: Mapping[str, Any], files: Sequence[Path] = ()) -> WorkflowConfig:
    """Validate the workflow's own configuration.

    Args:
        values: what Snakemake has merged from the files and `--config`.
        files: those files; they are read again for what merging hides: a key twice, and which file set a key.
    """
    layers = [(str(path), read_yaml(path)) for path in files]

    def origin(key: Key) -> str:
        """The file whose value is the one that holds: values are flat, so one file's value replaced the others'."""
        if layers and key and key[0] not in values:
            return ", ".join(file for file, _ in layers)  # missing in all of them
        same = [file for file, layer in layers if key and layer.get(key[0]) == values.get(key[0], layer)]
        return same[0] if same else "--config"

    return validate(WorkflowConfig, dict(values), origin)


def load_corpus(name: str, config_dir: Path) -> CorpusConfig:
    """Load `{config_dir}/corpora/{name}.yaml`."""
    path = _named_file(name, config_dir / "corpora", "corpus")
    return validate(CorpusConfig, read_yaml(path), str(path))


def load_trained(name: str, config_dir: Path, corpus_pairs: Sequence[str] | None = None) -> ExperimentConfig:
    """As `load_experiment`, for one that is trained.

    Raises:
        ConfigError: it is not.
    """
    config = load_experiment(name, config_dir, corpus_pairs)
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(
            f"experiment '{name}' is of kind '{config.kind}', which is not trained. Name another."
        )
    return config


def load_experiment(name: str, config_dir: Path, corpus_pairs: Sequence[str] | None = None) -> Experiment:
    """Load `{config_dir}/experiments/{name}.yaml` with all that it extends.

    Args:
        corpus_pairs: what `mixture.pairs: all` stands for, and what the pairs must be among; None: any pair.
    """
    layers = _extended(name, config_dir / "experiments", [])
    values: dict[str, Any] = {}
    for _, layer in reversed(layers):
        values = _merged(values, layer)
    kind = str(values.get("kind", "train"))
    if kind not in KINDS:
        file = _origin(("kind",), layers, layers[0][0])
        raise ConfigError(f"{file}: 'kind' is '{kind}'.{did_you_mean(kind, list(KINDS))}")
    mixture = values.get("mixture")
    if corpus_pairs is not None and isinstance(mixture, dict) and mixture.get("pairs") == "all":
        values = _merged(values, {"mixture": {"pairs": list(corpus_pairs)}})
    config: Any = validate(KINDS[kind], values, lambda key: _origin(key, layers, layers[0][0]))
    if not isinstance(config, ExperimentConfig):
        return config
    absent = [pair for pair in config.mixture.pairs if corpus_pairs is not None and pair not in corpus_pairs]
    if absent:
        raise ConfigError(
            f"{_origin(('mixture', 'pairs'), layers, layers[0][0])}: 'mixture.pairs': {', '.join(absent)} not in the "
            f"corpus, which has {', '.join(corpus_pairs or ())}. Take it out, or choose a corpus that has it."
        )
    return config


def check_baseline(name: str, baseline: str, config_dir: Path) -> None:
    """Check that the experiment that `name` is to be compared with exists and is another one.

    Raises:
        ConfigError: it is not.
    """
    where = f"experiment '{name}': 'baseline': "
    _named_file(baseline, config_dir / "experiments", "experiment", where)
    if baseline == name:
        raise ConfigError(f"{where}an experiment is not compared with itself.")


def _extended(name: str, folder: Path, below: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """An experiment's own values, then those of each ancestor, with their files; `extends` taken out."""
    if name in below:
        raise ConfigError(
            f"{folder / below[-1]}.yaml: 'extends' goes in a circle: {' -> '.join([*below, name])}. Break it."
        )
    if len(below) > MOST_ANCESTORS:
        raise ConfigError(
            f"{folder / below[0]}.yaml: 'extends' goes on over more than {MOST_ANCESTORS} experiments. "
            "Extend one that is nearer to the end."
        )
    path = _named_file(name, folder, "experiment", f"{folder / below[-1]}.yaml: 'extends': " if below else "")
    values = read_yaml(path)
    parent = values.pop("extends", None)
    if parent is None:
        return [(str(path), values)]
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: 'extends' is the name of one experiment, not {parent!r}.")
    return [(str(path), values), *_extended(parent, folder, [*below, name])]


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, lists and scalars replaced, `null` takes out what the base set (RFC 7396)."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and key in merged:
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def _origin(key: Key, layers: Sequence[tuple[str, Mapping[str, Any]]], otherwise: str) -> str:
    """The file that set a key: the first layer that has it."""
    return next((file for file, values in layers if key and holds(values, key)), otherwise)


def _named_file(name: str, folder: Path, what: str, where: str = "") -> Path:
    if not folder.is_dir():
        raise ConfigError(
            f"{where}there is no folder {folder} for {what} '{name}'. Run this in the repository's folder, "
            "or set config_dir."
        )
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise ConfigError(
            f"{where}there is no {what} '{name}' ({folder / name}.yaml does not exist).{did_you_mean(name, known)}"
        )
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{where}{what} '{name}': a name has only letters, digits and . _ + -. Rename {folder / name}.yaml."
        )
    return folder / f"{name}.yaml"
