"""The demo's grammar: some two million meanings, each with a correct sentence in six languages.

A meaning belongs to exactly one split, whatever the language, so a dev or test sentence never occurs in train, neither
as a source nor as a translation.
"""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from llast.demo import lexicon, lexicon_events
from llast.demo.meanings import (
    DEGREES,
    MODES,
    Act,
    Exist,
    Give,
    Goods,
    Like,
    Meaning,
    Modal,
    Quality,
    Spot,
    Travel,
)
from llast.demo.render import RENDERERS
from llast.errors import ConfigError
from llast.languages import SPLITS

LANGUAGES: tuple[str, ...] = tuple(RENDERERS)
VERSION = 1
"""Part of the base models' fingerprint: a changed grammar needs new base models."""

SHARE_OF_QUESTIONS = 0.08
SHARE_WITHOUT_ADJECTIVE = 0.25
WEIGHTS = {"act": 28, "spot": 14, "modal": 14, "give": 14, "exist": 10, "travel": 9, "quality": 6, "like": 5}
DEV_PER_TEN, TEST_PER_TEN = 1, 1

Item = TypeVar("Item")


def render(meaning: Meaning, lang: str) -> str:
    """The sentence of a meaning in a language of `LANGUAGES`, with capitals and final punctuation.

    Raises:
        ConfigError: the grammar does not speak this language.
    """
    if lang not in RENDERERS:
        raise ConfigError(
            f"the demo grammar 'sentences' does not speak '{lang}'. It speaks {' '.join(LANGUAGES)}; "
            "set grammar: phrasebook for all languages of CoVoST-2."
        )
    return RENDERERS[lang](meaning)


def split_of(meaning: Meaning) -> str:
    """`train` (8 in 10), `dev` or `test`, by a hash of the English sentence, which is unique to its meaning."""
    tenth = hashlib.sha256(render(meaning, "en").encode()).digest()[0] * 10 // 256
    return "test" if tenth < TEST_PER_TEN else "dev" if tenth < TEST_PER_TEN + DEV_PER_TEN else "train"


def sample_meanings(split: str, count: int, seed: int) -> list[Meaning]:
    """`count` distinct meanings of a split, the same for the same seed; a smaller count gives a prefix."""
    if split not in SPLITS:
        raise ConfigError(f"unknown split '{split}'. Known: {' '.join(SPLITS)}.")
    rng = random.Random(f"{split} {seed}")
    found: dict[Meaning, None] = {}
    while len(found) < count:
        meaning = _draw(rng)
        if split_of(meaning) == split:
            found[meaning] = None
    return list(found)


def _draw(rng: random.Random) -> Meaning:
    """Any meaning; patterns by their weights, words evenly."""

    def pick(items: Sequence[Item]) -> Item:
        return items[int(rng.random() * len(items))]

    def who() -> lexicon.Person | None:
        return None if rng.random() < SHARE_OF_QUESTIONS else pick(lexicon.PERSONS)

    def adjective(thing: lexicon.Thing) -> lexicon.Adjective:
        return pick([word for word in lexicon.ADJECTIVES if word.living or not thing.alive])

    def goods() -> Goods:
        thing = pick(lexicon.THINGS)
        plain = rng.random() < SHARE_WITHOUT_ADJECTIVE
        return Goods(pick(lexicon.NUMBERS), None if plain else adjective(thing), thing)

    pattern = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    match pattern:
        case "act":
            return Act(who(), pick(lexicon_events.VERBS), goods(), pick(lexicon_events.TIMES))
        case "spot":
            return Spot(who(), pick(lexicon_events.VERBS), goods(), pick(lexicon_events.PLACES))
        case "modal":
            return Modal(who(), pick(MODES), pick(lexicon_events.VERBS), goods())
        case "give":
            giver = who()
            recipient = pick(
                [person for person in lexicon.PERSONS if person.recipient and person is not giver]
            )
            return Give(giver, pick(lexicon_events.GIVING), goods(), recipient, pick(lexicon_events.TIMES))
        case "exist":
            return Exist(goods(), pick(lexicon_events.PLACES))
        case "travel":
            return Travel(
                who(), pick(lexicon_events.MEANS), pick(lexicon_events.PLACES), pick(lexicon_events.TIMES)
            )
        case "quality":
            thing = pick([item for item in lexicon.THINGS if not item.alive])
            scaled = pick([word for word in lexicon.ADJECTIVES if word.scale])
            return Quality(pick(lexicon.PERSONS), thing, pick(DEGREES), scaled)
        case _:
            thing = pick(lexicon.THINGS)
            return Like(who(), rng.random() < 0.5, adjective(thing), thing)
