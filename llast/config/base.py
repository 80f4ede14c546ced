"""The strict base of all configuration models, and the types that several of them use."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from llast.errors import ConfigError
from llast.languages import PAIRS, language, split_pair

Item = TypeVar("Item", str, int)


class Model(BaseModel):
    """A frozen configuration value: unknown keys, NaN and infinity are errors; attribute docs describe the schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


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
