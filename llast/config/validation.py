"""From pydantic's errors to one message that names file, dotted key, what is wrong and the nearest valid name."""

import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llast.config.base import first_of_another_kind
from llast.config.plain import Key, did_you_mean, first_unfit
from llast.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], values: object, where: str | Callable[[Key], str]) -> M:
    """Validate values against a configuration model.

    Args:
        where: the file the values come from, or a function that gives the file of a key.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    if unfit := first_unfit(values):  # in maps whose values have no type as well
        key, problem = unfit
        file = where if isinstance(where, str) else where(key)
        raise ConfigError(f"{file}: '{dotted(key)}': {problem}." if key else f"{file}: {problem}.")
    if unlike := first_of_another_kind(model, values):
        key, problem = unlike
        raise ConfigError(f"{where if isinstance(where, str) else where(key)}: '{dotted(key)}': {problem}.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # An unknown key is often the cause of a missing one: it comes first.
        details = sorted(
            error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden"
        )
        lines = [_line(model, detail, where) for detail in details]
        raise ConfigError("\n".join(lines)) from None


def dotted(key: Key) -> str:
    """`("pairs", "3")` is written `pairs[3]`; everything else with dots."""
    text = ""
    for part in key:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def _line(model: type[BaseModel], detail: ErrorDetails, where: str | Callable[[Key], str]) -> str:
    key, parent = _walk(model, [part for part in detail["loc"] if part != "[key]"])
    file = where if isinstance(where, str) else where(key)
    return f"{file}: {_problem(detail, key, parent)}"


def _problem(detail: ErrorDetails, key: Key, parent: list[Any]) -> str:
    name = dotted(key)
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        return f"unknown key '{name}'.{did_you_mean(key[-1], _names(parent))}"
    if kind == "too_short" and not value:
        return f"'{name}' is empty. Name at least {context['min_length']}."
    if kind == "missing":
        return f"'{name}' is missing."
    if kind == "union_tag_not_found":
        return f"'{name}.{context['discriminator'].strip(chr(39))}' is missing."
    if kind == "union_tag_invalid":
        tag = dotted((*key, context["discriminator"].strip("'")))
        return (
            f"'{tag}' is '{context['tag']}'.{did_you_mean(context['tag'], _quoted(context['expected_tags']))}"
        )
    if kind == "literal_error":
        start = f"unknown key '{name}'" if "[key]" in detail["loc"] else f"'{name}' is {value!r}"
        return f"{start}.{did_you_mean(str(value), _quoted(context['expected']))}"
    message = detail["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"'{name}': {message}" if name else message
    return f"'{name}': {message[:1].lower()}{message[1:]}, not {value!r}."


def _quoted(text: str) -> list[str]:
    """The values of `'a', 'b' or 'c'`, or of `1, 2 or 3`."""
    return [value.strip("'") for value in re.split(", | or ", text)]


def _walk(model: type[BaseModel], path: list[Any]) -> tuple[Key, list[Any]]:
    """The key that an error's location stands for, and the types that the value holding it may have.

    Pydantic puts a union's tag into the location; the tag is no key and is left out.
    """
    key: list[str] = []
    parents: list[Any] = []
    candidates: list[Any] = [model]
    for part in path:
        tagged = [kind for kind in candidates if part in _tags(kind)]
        if tagged and not any(part in _names([kind]) for kind in candidates):
            candidates = tagged
            continue
        key.append(str(part))
        parents = candidates
        candidates = [kind for candidate in candidates for kind in _inside(candidate, part)]
    return tuple(key), parents


def _inside(kind: Any, part: Any) -> list[Any]:
    """Types that the value under `part` of a value of type `kind` may have."""
    if _is_model(kind):
        field = kind.model_fields.get(part)
        return _flat(field.annotation) if field else []
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _flat(arguments[1])
    if get_origin(kind) in (list, tuple):
        return _flat(arguments[0])
    return []


def _flat(kind: Any) -> list[Any]:
    """The members of a (nested, annotated, optional) union."""
    if get_origin(kind) is Annotated:
        return _flat(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [member for argument in get_args(kind) for member in _flat(argument)]
    return [kind]


def _tags(kind: Any) -> list[str]:
    """Values of the literal fields of a model: what may stand for it as a union's tag."""
    if not _is_model(kind):
        return []
    fields = kind.model_fields.values()
    return [
        tag
        for field in fields
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    ]


def _names(kinds: list[Any]) -> list[str]:
    return [name for kind in kinds if _is_model(kind) for name in kind.model_fields]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def holds(values: Mapping[str, Any], key: Key) -> bool:
    """Whether nested maps have a value under a key."""
    inner: Any = values
    for part in key:
        if isinstance(inner, list) and part.isdigit():
            return True
        if not isinstance(inner, Mapping) or part not in inner:
            return False
        inner = inner[part]
    return True
