"""Word and character error rates of transcripts."""

import unicodedata
from collections.abc import Sequence
from functools import cache

from llast.languages import language

NORMALISATION = (
    "lowercase; punctuation removed except apostrophe and hyphen; typographic apostrophes made straight"
)
"""As in the CoVoST 2 paper (arXiv 2007.10310): WER; CER for Chinese and Japanese, where spaces do not count."""

KEPT = frozenset("'-")
APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ＇", "'"))


def error_rate(
    code: str, hypotheses: Sequence[str], references: Sequence[str]
) -> dict[str, str | float | int]:
    """Errors per 100 reference units over all rows: words, or characters where words are not separated by spaces.

    Args:
        code: the spoken language.
        hypotheses: transcripts as recognised.
        references: transcripts as they should be, in the same order.

    Returns:
        `metric` (`wer` or `cer`), `value` (above 100 is possible), `units` (of the reference), `errors`, `signature`.
    """
    spaced = language(code).spaced
    errors = units = 0
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        said, meant = (_units(text, spaced) for text in (hypothesis, reference))
        errors += edit_distance(said, meant)
        units += len(meant)
    metric = "wer" if spaced else "cer"
    return {
        "metric": metric,
        "value": 100.0 * errors / units if units else 0.0,
        "units": units,
        "errors": errors,
        "signature": f"{metric}|{NORMALISATION}",
    }


def normalised(text: str) -> str:
    """A text as error rates see it; see `NORMALISATION`."""
    kept = "".join(map(_kept, text.translate(APOSTROPHES).lower()))
    return " ".join(kept.split())


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make `b` out of `a` (Levenshtein)."""
    if a == b:
        return 0
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right)))
        above = row
    return above[-1]


def _units(text: str, spaced: bool) -> list[str]:
    words = normalised(text).split()
    return words if spaced else list("".join(words))


@cache
def _kept(character: str) -> str:
    """The character itself, or a space in place of punctuation."""
    punctuation = unicodedata.category(character).startswith("P") and character not in KEPT
    return " " if punctuation else character
