"""Descriptions of the configuration made from its models: help texts, Markdown tables, JSON schemas for editors."""

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from llast.markup import markdown_row

if TYPE_CHECKING:
    from llast.config.resolved import ResolvedConfig


@dataclass(frozen=True)
class Key:
    """One configuration key: dotted name, type, default as JSON (empty: it has none), and what it means."""

    name: str
    type: str
    default: str
    text: str


def describe(model: type[BaseModel], prefix: str = "") -> list[Key]:
    """Every key of a model, nested models included, in the order in which they are declared."""
    return [
        key for name, field in model.model_fields.items() for key in _describe_field(prefix + name, field)
    ]


def _describe_field(name: str, field: FieldInfo) -> Iterator[Key]:
    default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
    models = [
        kind for kind in _members(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)
    ]
    yield Key(name, _type_name(field.annotation), default, field.description or _first_line(models))
    for model in models:
        yield from describe(model, f"{name}.")


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [member for argument in get_args(kind) for member in _members(argument)]
    return [kind]


def _type_name(kind: Any) -> str:
    return " or ".join(dict.fromkeys(_one_type_name(member) for member in _members(kind)))


def _one_type_name(kind: Any) -> str:
    arguments = get_args(kind)
    if kind is type(None):
        return "null"
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(value) for value in arguments)
    if get_origin(kind) is dict:
        return f"map from {_type_name(arguments[0])} to {_type_name(arguments[1])}"
    if get_origin(kind) in (list, tuple):
        return f"list of {_type_name(arguments[0])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "map"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(kind, "anything")


def _default(value: Any) -> str:
    """A default as JSON; that of a nested model is told by its own keys."""
    return "" if isinstance(value, BaseModel) else json.dumps(value, ensure_ascii=False)


def _first_line(models: list[type[BaseModel]]) -> str:
    return " Or: ".join((model.__doc__ or "").strip().splitlines()[0] for model in models)


def _files() -> dict[str, list[type[BaseModel]]]:
    """The models that each kind of file may be of."""
    from llast.config.corpus import CorpusConfig
    from llast.config.evaluation_only import KINDS
    from llast.config.workflow import WorkflowConfig

    return {"config": [WorkflowConfig], "corpus": [CorpusConfig], "experiment": list(KINDS.values())}


def markdown_keys() -> str:
    """A Markdown table of the keys of each kind of configuration file."""
    titles: dict[str, str] = {
        "config": "The workflow: `config/*.yaml`",
        "corpus": "A corpus: `config/corpora/*.yaml`",
        "experiment": "An experiment: `config/experiments/*.yaml`",
    }
    lines: list[str] = []
    for name, models in _files().items():
        for number, model in enumerate(models):
            title = titles[name]
            if number:
                title = f"Only evaluated: {_first_line([model]).rstrip('.')}"
            lines += [f"### {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
            for key in describe(model):
                default = f"`{key.default}`" if key.default else ""
                row = markdown_row([f"`{key.name}`", key.type, default, key.text])
                lines.append(row.replace("  ", " "))
            lines.append("")
    return "\n".join(lines)


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (2020-12) of each kind of file: `config`, `corpus`, `experiment`."""
    found = {}
    for name, models in _files().items():
        schema = TypeAdapter(Union[tuple(models)]).json_schema()  # type: ignore[arg-type]  # noqa: UP007
        if name == "experiment":
            _allow_extending(schema)
        found[name] = schema
    return found


def _allow_extending(schema: dict[str, Any]) -> None:
    """An experiment's file may leave out what it extends, and may take a value out with null."""
    for part in schema["$defs"].values():
        part.pop("required", None)
        part["properties"] = {name: _or_null(value) for name, value in part["properties"].items()}


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value.get("additionalProperties"), dict):
        value = {**value, "additionalProperties": _or_null(value["additionalProperties"])}
    if any(option == {"type": "null"} for option in value.get("anyOf", [])):
        return value
    return {"anyOf": [value, {"type": "null"}]}


def as_yaml(resolved: "ResolvedConfig") -> str:
    """What a configuration comes to: with everything that is extended and every default."""
    value = {
        "config": resolved.config.model_dump(mode="json"),
        "corpus": resolved.corpus.model_dump(mode="json"),
        "experiments": {
            name: experiment.model_dump(mode="json") for name, experiment in resolved.experiments.items()
        },
    }
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
