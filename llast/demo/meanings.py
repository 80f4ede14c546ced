"""What sentences of the demo's grammar say, apart from any language. `who` is None where the sentence asks who.

Each class is a pattern of sentences; its docstring has an example.
"""

from dataclasses import dataclass
from typing import Literal

from llast.demo.lexicon import Adjective, Number, Person, Thing
from llast.demo.lexicon_events import Means, Place, Time, Verb

Mode = Literal["want", "can", "must"]
MODES: tuple[Mode, ...] = ("want", "can", "must")
Degree = Literal["very", "too", "not"]
DEGREES: tuple[Degree, ...] = ("very", "too", "not")


@dataclass(frozen=True)
class Goods:
    """A noun phrase, such as "two red apples"."""

    number: Number
    adjective: Adjective | None
    thing: Thing


@dataclass(frozen=True)
class Act:
    """An act at a time: "The girl bought two red apples yesterday"."""

    who: Person | None
    verb: Verb
    goods: Goods
    time: Time


@dataclass(frozen=True)
class Spot:
    """An act at a place: "The girl found two red apples in the park"."""

    who: Person | None
    verb: Verb
    goods: Goods
    place: Place


@dataclass(frozen=True)
class Modal:
    """An act that is wanted, possible or due: "The girl wants to buy two red apples"."""

    who: Person | None
    mode: Mode
    verb: Verb
    goods: Goods


@dataclass(frozen=True)
class Give:
    """An act with a recipient: "The girl gave the boy two red apples yesterday"."""

    who: Person | None
    verb: Verb
    goods: Goods
    recipient: Person
    time: Time


@dataclass(frozen=True)
class Exist:
    """What is at a place: "There are two red apples in the park"."""

    goods: Goods
    place: Place


@dataclass(frozen=True)
class Travel:
    """A way: "The girl goes to the park by bus every day"."""

    who: Person | None
    means: Means
    place: Place
    time: Time


@dataclass(frozen=True)
class Quality:
    """A quality of what somebody owns: "The girl's bag is too heavy"."""

    owner: Person
    thing: Thing
    degree: Degree
    adjective: Adjective


@dataclass(frozen=True)
class Like:
    """What somebody likes or not: "The girl likes red apples"."""

    who: Person | None
    likes: bool
    adjective: Adjective
    thing: Thing


Meaning = Act | Spot | Modal | Give | Exist | Travel | Quality | Like
