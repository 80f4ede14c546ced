"""Reading a YAML file as a configuration: strictly, within limits, with errors that name file and line."""

import re
from pathlib import Path
from typing import Any

import yaml

from llast.config.plain import MOST_VALUES, first_unfit
from llast.config.validation import dotted
from llast.errors import ConfigError

MOST_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """YAML as usual, but a key that stands twice in a map is an error and not silently the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a key is a word, not a list or a map", key)
            if key.value in seen:
                raise _error(f"key '{key.value}' stands twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As usual; a value that its type cannot have, such as month 13, is an error with a line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            if isinstance(node, yaml.ScalarNode):
                kind = node.tag.rpartition(":")[2]
                raise _error(
                    f"{node.value!r:.60} looks like a {kind} and is none ({error}); write text in quotes",
                    node,
                ) from None
            raise _error(f"cannot be read: {error}", node) from None

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """As usual, within limits: maps merged (`<<`) into maps that are merged again grow without end."""
        super().flatten_mapping(node)
        if len(node.value) > MOST_VALUES:
            raise _error(f"more than {MOST_VALUES:,} values are merged here", node)


def _error(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


# YAML 1.1, which PyYAML reads, takes 2e-4 for text; to everybody else, YAML 1.2 included, it is a number.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), [*"-+0123456789"]
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a map; an empty file is an empty map.

    Raises:
        ConfigError: no such file, not YAML, a key twice, not a map, or a value that is no text and no finite number.
    """
    try:
        text = _text(path)
    except FileNotFoundError:
        where = "" if path.is_absolute() else f" in {Path.cwd()}; paths start in the repository's folder"
        raise ConfigError(f"{path} does not exist{where}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    try:
        values = yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: {error.problem}.") from None
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}:{number}: the character U+{ord(text[error.position]):04X} may not stand in YAML. Take it out."
        ) from None
    except RecursionError:
        raise ConfigError(
            f"{path}: nested too deeply, or an alias that stands inside what it names."
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys with values, found {type(values).__name__}.")
    if unfit := first_unfit(values):
        key, problem = unfit
        raise ConfigError(f"{path}: '{dotted(key)}': {problem}." if key else f"{path}: {problem}.")
    return values


def _text(path: Path) -> str:
    """The text of a file that is one: reading a pipe may never end.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is not a regular file, too large, or not UTF-8.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes, too many for a configuration")
    return path.read_text(encoding="utf-8")
