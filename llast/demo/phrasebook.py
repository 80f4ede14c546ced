"""Everyday sentences in all 22 languages of CoVoST-2, for the smallest corpus that covers all 36 pairs.

Same interface as `grammar.py`. Japanese is kana, which the synthesizer reads.
"""

import random
from dataclasses import dataclass
from importlib.resources import files

from llast.errors import ConfigError
from llast.languages import SPLITS, language

_TABLE = files("llast.demo").joinpath("phrasebook.tsv").read_text(encoding="utf-8")
_ROWS = [line.split("\t") for line in _TABLE.splitlines()]
PHRASES: dict[str, tuple[str, ...]] = {code: tuple(phrases) for code, *phrases in zip(*_ROWS, strict=True)}
"""The sentences by language. In the file, a column per language and a line per phrase."""

LANGUAGES: tuple[str, ...] = tuple(PHRASES)


@dataclass(frozen=True)
class Phrase:
    """A sentence of the book by its number."""

    number: int


DEV, TEST = (11, 12, 14, 19), (13, 15, 20, 21)
"""Numbers of the dev and the test phrases; the others are for training."""


def render(meaning: Phrase, lang: str) -> str:
    """The sentence in a language of CoVoST-2.

    Raises:
        ConfigError: unknown language.
    """
    return PHRASES[language(lang).code][meaning.number]


def split_of(meaning: Phrase) -> str:
    """`train`, `dev` or `test`, by a fixed assignment."""
    return "dev" if meaning.number in DEV else "test" if meaning.number in TEST else "train"


def sample_meanings(split: str, count: int, seed: int) -> list[Phrase]:
    """`count` phrases of a split in random order, all of them before any comes again."""
    if split not in SPLITS:
        raise ConfigError(f"unknown split '{split}'. Known: {' '.join(SPLITS)}.")
    phrases = [phrase for phrase in map(Phrase, range(len(PHRASES["en"]))) if split_of(phrase) == split]
    random.Random(f"{split} {seed}").shuffle(phrases)
    return (phrases * (count // len(phrases) + 1))[:count]
