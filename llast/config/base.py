"""The strict base of all configuration models, and the types that several of them use."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, LiteralString, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

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

    @model_validator(mode="before")
    @classmethod
    def _of_their_kinds(cls, values: Any) -> Any:
        """Pydantic takes true for 1, 1 for true, and text for either; a configuration that says so is mistaken."""
        found = values.items() if isinstance(values, dict) else ()
        errors: list[InitErrorDetails] = [
            {"type": PydanticCustomError("value_error", problem), "loc": (name,), "input": value}
            for name, value in found
            if name in cls.model_fields
            for problem in cls._mistaken(cls.model_fields[name].annotation, value)[:1]
        ]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        # Strictly, which is how a run's folder is read, a list is no tuple once it is no longer JSON.
        tuples = {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        listed = {name: tuple(value) for name, value in found if name in tuples and isinstance(value, list)}
        return values | listed if listed else values

    @classmethod
    def _mistaken(cls, annotation: Any, value: Any) -> list[LiteralString]:
        kinds = _plain_types(annotation)
        numbers, texts = kinds & {int, float}, kinds & {str}
        problems: list[LiteralString] = []
        for inner in _plain_values(value) if Any not in kinds else ():
            if isinstance(inner, bool) and numbers and bool not in kinds:
                problems.append("must be a number, not true or false.")
            elif not isinstance(inner, bool) and bool in kinds and not numbers | texts:
                problems.append("must be true or false.")
            elif isinstance(inner, str) and numbers and not texts and not cls.FROM_ARGUMENTS:
                problems.append("must be a number, not text.")
        return problems

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


def is_server(address: str) -> bool:
    """Whether there may be a server at an address of HTTP: it has a host, and a port that can be."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or brackets without an address
        return False
