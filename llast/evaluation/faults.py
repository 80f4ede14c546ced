"""What is wrong with hypotheses apart from their words: empty, looping, in another script or another language.

Scripts are certain, languages are not. A language is recognised by its words: how often each occurs in the sentences
and references of the split that is scored, whatever languages those are in. Hence the limits: only languages of that
split can be found; hypotheses of fewer than `MIN_WORDS` words are never called wrong; a name or a sentence copied
from the source counts only as far as its words are usual there and not in the target; between close languages (ca and
es, id and a neighbour that the split lacks) short hypotheses pass. The counts are lower bounds that serve to compare
checkpoints, not a classification of single sentences.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from llast.artifacts.hypotheses import Hypothesis
from llast.languages import LANGUAGES, split_pair

KINDS = {
    "empty": "empty",
    "loops": "repetition loop",
    "wrong_script": "wrong script",
    "wrong_language": "wrong language",
}
"""Names of faults, and what people call them."""

LOOP_PERIODS = range(1, 13)
LOOP_REPEATS = 4
LOOP_TOKENS = 8
MIN_WORDS = 4
MARGIN = 7.0
"""Nats: the other language has to be a thousand times likelier than the target."""
UNSEEN = math.log(1e-5)
"""Log frequency of a word that a language's sentences do not have: the same for all, whatever their number."""

SCRIPTS = {
    "Latn": ("LATIN",),
    "Cyrl": ("CYRILLIC",),
    "Arab": ("ARABIC",),
    "Taml": ("TAMIL",),
    "Hans": ("CJK",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
}
"""First words of the Unicode names of a script's letters."""

Profiles = dict[str, dict[str, float]]  # by language: log frequencies of its words


def profiles(texts: Mapping[str, Iterable[str]]) -> Profiles:
    """Log frequencies of the words of each language's texts."""
    found = {}
    for code, sentences in texts.items():
        counts = Counter(word for sentence in set(sentences) for word in _words(sentence))
        total = sum(counts.values()) or 1
        found[code] = {word: max(math.log(count / total), UNSEEN) for word, count in counts.items()}
    return found


def count_faults(pair: str, records: Sequence[Hypothesis], known: Profiles) -> dict[str, int]:
    """How many hypotheses of a pair are empty, loop, or are in another script or language than the target's.

    Each is counted once, as the first of `KINDS` that holds.
    """
    target = split_pair(pair)[1]
    counts = dict.fromkeys(KINDS, 0)
    for record in records:
        kind = _fault(record.hypothesis, record.reference, target, known)
        if kind:
            counts[kind] += 1
    return counts


def _fault(hypothesis: str, reference: str, target: str, known: Profiles) -> str | None:
    if not hypothesis.strip():
        return "empty"
    if hypothesis == reference:
        return None
    if loops(hypothesis, target) and not loops(reference, target):
        return "loops"
    if wrong_script(hypothesis, target) and not wrong_script(reference, target):
        return "wrong_script"
    found = other_language(hypothesis, target, known)
    if found and other_language(reference, target, known) != found:
        return "wrong_language"
    return None


def loops(text: str, code: str) -> bool:
    """Whether some tokens (words, or characters of Chinese and Japanese) stand four times or more in a row.

    The repeated part has at least eight tokens, so that "no no no no" is no loop.
    """
    tokens = text.split() if LANGUAGES[code].spaced else list(text.replace(" ", ""))
    for period in LOOP_PERIODS:
        needed = max(LOOP_REPEATS * period, LOOP_TOKENS) - period
        run = 0
        for i in range(period, len(tokens)):
            run = run + 1 if tokens[i] == tokens[i - period] else 0
            if run >= needed:
                return True
    return False


def wrong_script(text: str, code: str) -> bool:
    """Whether most letters belong to another script than the language's; Chinese with kana is Japanese."""
    expected = LANGUAGES[code].script
    if expected == "Latn" and text.isascii():
        return False
    scripts = Counter(script for script in map(_script, text) if script)
    letters = sum(scripts.values())
    if code == "zh-CN" and scripts["HIRAGANA"] + scripts["KATAKANA"] > 0.2 * letters:
        return True
    return sum(scripts[name] for name in SCRIPTS[expected]) * 2 < letters


def other_language(text: str, code: str, known: Profiles) -> str | None:
    """The language that the words of a text are far likelier in than in `code`; None if there is none."""
    own = known.get(code)
    words = _words(text)
    if own is None or len(words) < MIN_WORDS:
        return None
    likelihood = sum(own.get(word, UNSEEN) for word in words)
    best, found = likelihood + MARGIN, None
    for other, frequencies in known.items():
        if other != code and (value := sum(frequencies.get(word, UNSEEN) for word in words)) > best:
            best, found = value, other
    return found


def _words(text: str) -> list[str]:
    """Lower-cased words; of scripts without spaces, the characters."""
    words: list[str] = []
    for word in text.lower().split():
        word = word.strip(".,;:!?…\"'“”„«»()[]。，、！？「」-–—")
        words += [word] if word.isascii() or not any(map(_unspaced, word)) else list(word)
    return [word for word in words if word]


@cache
def _script(character: str) -> str:
    """First word of a letter's Unicode name; empty for what is no letter."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""


@cache
def _unspaced(character: str) -> bool:
    return _script(character) in SCRIPTS["Jpan"]
