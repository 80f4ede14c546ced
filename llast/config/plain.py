"""What a configuration is made of, whoever read it: maps with names, lists, text, finite numbers, true, false, null.

YAML knows more (dates, bytes, sets, values that hold themselves), and a command line and JSON have NaN.
"""

import datetime
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

Key = tuple[str, ...]

MOST_VALUES, DEEPEST, LONGEST_TEXT = 100_000, 30, 10_000
"""Beyond all that is meant: a few aliases of aliases stand for more values than fit into memory."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_KINDS = {datetime.date: "a date", datetime.datetime: "a date", bytes: "binary data", set: "a set"}


def first_unfit(values: object) -> tuple[Key, str] | None:
    """The first value that no configuration has: its key, and what is wrong with it; None if there is none."""
    waiting: list[tuple[Key, object]] = [((), values)]
    seen = 0
    while waiting:
        key, value = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            return key[:3], f"there are more than {MOST_VALUES:,} values here, an alias counted each time"
        if len(key) > DEEPEST:
            return key[:3], f"is nested more than {DEEPEST} deep, or holds itself"
        if isinstance(value, Mapping):
            for name in value:
                if not isinstance(name, str):
                    return (
                        key,
                        f"has the key {name!r:.60}, which is {_kind(name)} to YAML: write it in quotes",
                    )
                if problem := _problem(name):
                    return key, f"has a key that {problem}"
            waiting += [((*key, name), value[name]) for name in reversed(value)]
        elif isinstance(value, list):
            waiting += [((*key, str(number)), value[number]) for number in reversed(range(len(value)))]
        elif problem := _problem(value):
            return key, problem
    return None


def _problem(value: Any) -> str:
    """What is wrong with a single value; empty if nothing is."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else "must be a number below 2^63"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"must be a finite number, not {value}"
    if not isinstance(value, str):
        return f"is {_kind(value)} to YAML, neither text nor a number: write it in quotes"
    if len(value) > LONGEST_TEXT:
        return f"is longer than {LONGEST_TEXT:,} characters"
    return f"has control characters: {value!r:.60}" if _CONTROL.search(value) else ""


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def did_you_mean(word: str, known: list[str] | tuple[str, ...]) -> str:
    """The nearest names and the list of all, as the end of a message."""
    near = get_close_matches(word, known, n=2, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    return f"{hint} Known: {', '.join(known) or 'none'}."
