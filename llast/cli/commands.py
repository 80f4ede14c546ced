"""Verbs for people that are more than one call of a function."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path


def translate(
    files: list[Path],
    model: Path,
    from_: str,
    to: str,
    checkpoint: int | None = None,
    beams: int = 5,
    segment_seconds: float = 30.0,
    jsonl: bool = False,
    threads: int = 1,
) -> Iterator[str]:
    """A line for each audio file as soon as it is translated: its text, or a JSON object with the times of segments."""
    from llast.release.translate_files import as_record, translate_files

    for done in translate_files(files, model, from_, to, checkpoint, beams, segment_seconds, threads):
        if jsonl:
            yield json.dumps(as_record(done, from_, to), ensure_ascii=False)
        else:
            yield f"{done.file}\t{done.text}" if len(files) > 1 else done.text


def import_xtuner(
    checkpoint: Path,
    experiment: str,
    output: Path,
    config_dir: Path = Path("config"),
    encoder_alpha: int | None = None,
    llm_alpha: int | None = None,
) -> Path:
    """Import a checkpoint of the released code as the named experiment; what became of its tensors is told."""
    from llast.config.load import load_trained
    from llast.release.import_xtuner import import_xtuner

    trained = load_trained(experiment, config_dir)
    done = import_xtuner(checkpoint, trained, output, encoder_alpha, llm_alpha)
    tensors, parameters = done.dropped
    lines = [f"{len(done.tensors)} tensors of adapters and adaptor", f"LoRA alphas: {done.scales}"]
    if tensors:
        lines.append(
            f"{tensors} tensors ({parameters:,} parameters) of LoRA on Whisper's decoder, never used, left out"
        )
    if done.unknown:
        lines.append(f"{len(done.unknown)} tensors that stand for nothing here: {', '.join(done.unknown)}")
    print("\n".join(lines), file=sys.stderr)
    return output


def show_config(config: Path) -> str:
    """What a configuration comes to, as YAML."""
    from llast.config.resolved import resolve
    from llast.config.schema import as_yaml
    from llast.config.yaml_file import read_yaml

    return as_yaml(resolve(read_yaml(config), [config]))


def check_configs(config: list[Path]) -> Iterator[str]:
    """A line for each configuration that is good.

    Raises:
        ConfigError: the first one that is not.
    """
    from llast.config.resolved import resolve
    from llast.config.yaml_file import read_yaml

    for path in config:
        resolved = resolve(read_yaml(path), [path])
        yield f"{path}: good (experiments: {len(resolved.experiments)}, pairs: {len(resolved.corpus.pairs)})"


def write_schemas(output: Path) -> None:
    """Write `{config,corpus,experiment}.schema.json` into a folder."""
    from llast.artifacts import write_json
    from llast.config.schema import schemas

    for name, schema in schemas().items():
        write_json(output / f"{name}.schema.json", schema)
