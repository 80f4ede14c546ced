"""The strict base of all configuration models, and the types that several of them use."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from llast.errors import ConfigError
from llast.languages import PAIRS, language, split_pair

Item = TypeVar("Item", str, int)


class Model(BaseModel):
    """A frozen configuration value: unknown keys, NaN and infinity are errors; attribute docs describe the schema.

    Attributes:
        PROSE: fields whose text may have several lines; any other goes into commands, logs and tables as one.
        FROM_ARGUMENTS: whether the values come from a command line, where a number is text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
    PROSE: ClassVar[tuple[str, ...]] = ()
    FROM_ARGUMENTS: ClassVar[bool] = False

    @field_validator("*", mode="after")
    @classmethod
    def _one_line(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name not in cls.PROSE:
            for text in _plain_values(value, with_keys=True):
                if isinstance(text, str) and any(
                    unicodedata.category(sign) in _NOT_IN_A_LINE for sign in text
                ):
                    raise ValueError(f"has to be one line, without control characters, not {text!r:.60}.")
        return value


def first_of_another_kind(model: type[BaseModel], values: object) -> tuple[tuple[str, ...], str] | None:
    """The first value of another kind than its field's, with what it must be; None if there is none.

    Pydantic takes true for 1, 1 for true, and text for either; a configuration that says so is mistaken. Its strict
    mode would refuse 5.0 for 5 and a list for a pair too.
    """
    numbers_as_text = issubclass(model, Model) and model.FROM_ARGUMENTS
    for name, value in values.items() if isinstance(values, dict) else ():
        if name not in model.model_fields:
            continue
        annotation: Any = model.model_fields[name].annotation
        if problem := _problem_of_kind(_plain_types(annotation), value, numbers_as_text):
            return (name,), problem
        for inner in _models(annotation, value):
            if found := first_of_another_kind(inner, value):
                return (name, *found[0]), found[1]
    return None


def _problem_of_kind(kinds: frozenset[Any], value: Any, numbers_as_text: bool) -> str:
    numbers, texts = kinds & {int, float}, kinds & {str}
    for inner in _plain_values(value) if Any not in kinds else ():
        if isinstance(inner, bool) and numbers and bool not in kinds:
            return f"must be a number, not {str(inner).lower()}"
        if not isinstance(inner, bool) and bool in kinds and not numbers | texts:
            return f"must be true or false, not {inner!r:.60}"
        if isinstance(inner, str) and numbers and not texts and not numbers_as_text:
            return f"must be a number, not the text {inner!r:.60}"
    return ""


def _models(kind: Any, value: Any) -> list[type[BaseModel]]:
    """The model in a type that a value is of; of several, the one of its `kind`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        tag: Any = kind.model_fields["kind"].annotation if "kind" in kind.model_fields else None
        other = (
            get_origin(tag) is Literal and isinstance(value, dict) and value.get("kind") not in get_args(tag)
        )
        return [] if other else [kind]
    return [model for argument in get_args(kind) for model in _models(argument, value)]


_NOT_IN_A_LINE = ("Cc", "Zl", "Zp")
"""Unicode categories: control characters, line and paragraph separators."""


def _plain_values(value: Any, with_keys: bool = False) -> Iterator[Any]:
    """Texts, numbers and booleans in a value, in lists and maps too; not those of nested models."""
    if isinstance(value, str | bool | int | float):
        yield value
    elif isinstance(value, dict):
        yield from value if with_keys else ()
        for inner in value.values():
            yield from _plain_values(inner, with_keys)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _plain_values(inner, with_keys)


@cache
def _plain_types(kind: Any) -> frozenset[Any]:
    """Types of the texts, numbers and booleans in a value of a type; `Any` where it may be anything or a model."""
    if kind in (str, int, float, bool, type(None)):
        return frozenset({kind})
    if get_origin(kind) is Literal:
        return frozenset(map(type, get_args(kind)))
    if get_origin(kind) is Annotated:
        return _plain_types(get_args(kind)[0])
    if get_origin(kind) is dict:
        return _plain_types(get_args(kind)[1])
    inner = [_plain_types(argument) for argument in get_args(kind) if argument is not Ellipsis]
    return frozenset().union(*inner) if inner else frozenset({Any})


def _known_pair(pair: str) -> str:
    try:
        split_pair(pair)
    except ConfigError as error:
        raise ValueError(str(error)) from None  # pydantic adds the key to a ValueError
    return pair


def _all_pairs(value: object) -> object:
    return list(PAIRS) if value == "all" else value


def _distinct(items: list[Item]) -> list[Item]:
    twice = [str(item) for item in dict.fromkeys(items) if items.count(item) > 1]
    if twice:
        raise ValueError(f"{', '.join(twice)} is listed twice.")
    return items


def _known_language(code: str) -> str:
    try:
        language(code)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return code


Text = Annotated[str, Field(min_length=1)]
"""A text that says something."""

Language = Annotated[str, AfterValidator(_known_language)]
"""Code of a language of CoVoST-2."""


Pair = Annotated[str, AfterValidator(_known_pair)]
"""A pair of CoVoST-2, such as `zh-CN_en`."""


Distinct = Annotated[list[Item], AfterValidator(_distinct)]
"""A list that has each of its items once."""


Pairs = Annotated[
    Distinct[Pair],
    BeforeValidator(_all_pairs, json_schema_input_type=list[str] | Literal["all"]),
]
"""CoVoST-2 pairs, each once; the word `all` stands for the 36."""


def without_braces(path: str) -> str:
    """A path as it is.

    Raises:
        ValueError: it has braces, in which Snakemake's files have wildcards.
    """
    if set(path) & {"{", "}"}:
        raise ValueError(
            f"'{path}' has braces, which Snakemake takes for wildcards. Rename the folder, or link to it."
        )
    return path


_HUB_NAME = re.compile(r"(?!.*(?:--|\.\.))\w(?:[\w.-]{0,94}\w)?", re.ASCII)


def check_hub_name(name: str) -> str:
    """`org/name` on the Hugging Face hub, as it is.

    Raises:
        ValueError: the hub has no such names; ours become those of folders.
    """
    parts = name.split("/")
    if len(parts) != 2 or not all(map(_HUB_NAME.fullmatch, parts)):
        raise ValueError(f"'{name}' is no name on the Hugging Face hub, which are org/name.")
    return name


_HOST = re.compile(r"""[^\s<>"{}|\\^`$]+""")


def is_server(address: str) -> bool:
    """Whether there may be a server at an address of HTTP: it has a host, and a port that can be."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        host.encode("idna")  # as sockets do
        return bool(_HOST.fullmatch(host)) and parts.port != 0
    except ValueError:  # a port that is none, brackets without an address, an empty label or a long one
        return False
