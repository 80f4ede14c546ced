"""One normal form of texts for all that compares them: error rates, the leakage guard, filters, statistics.

Texts that look the same have the same one, however they were typed; so have texts that differ in case or spaces only.
"""

import re
import unicodedata

NORMALISATION = (
    "NFKC, lower case, one form of each hyphen, dash, quotation mark and apostrophe, invisible signs removed"
)
"""What `normalised` does, for signatures."""

TURKIC = ("tr", "az")
"""Languages whose I is a capital ı; everywhere the capital of i may be İ."""

_ALIKE = str.maketrans(
    dict.fromkeys("’‘ʼʻ‛′´\u1ffd`\u1fefʹ＇", "'")
    | dict.fromkeys("“”„‟＂", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2014\u2015", " - ")  # a dash, which never joins two words
    | dict.fromkeys("\u301c\u3030\uff5e", "~")
    | {"İ": "i"}
    # Soft hyphens, marks of direction, joiners of words and variants of signs. Not U+200C and U+200D: letters of
    # Persian look otherwise beside them.
    | dict.fromkeys([0xAD, 0x34F, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF])
    | dict.fromkeys([*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)])
)
_SIGNS = re.compile("[" + "".join(map(re.escape, map(chr, _ALIKE))) + "]")
_TURKIC = str.maketrans("I", "ı")


def normalised(text: str, language: str = "") -> str:
    """The normal form of a text; that of its normal form is the same.

    Args:
        text: any.
        language: its code, for languages with letters of their own; empty: unknown.
    """
    if not text.isascii():
        # Once before NFKC, which tears an acute by itself apart, and once after it, which makes more such signs.
        text = _alike(unicodedata.normalize("NFKC", _alike(text)))
    if language in TURKIC:
        text = text.translate(_TURKIC)
    text = text.lower().replace("`", "'")  # of the signs above the only one in ASCII
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def _alike(text: str) -> str:
    return text.translate(_ALIKE) if _SIGNS.search(text) else text  # a search takes a tenth of the time
