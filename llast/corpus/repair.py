"""Undo CSV quoting in texts: the residue in sentences of Common Voice 4, and tables that pandas wrote by default."""

from collections.abc import Iterable


def repair_text(text: str) -> str:
    r"""Strip one pair of quotes and un-double the inner ones, if the text is a quoted CSV field.

    Common Voice 4 wrote sentences that hold `'` or `"` as CSV fields (CorporaCreator issue 108):
    `She'll be all right.` stands as `"She'll be all right."`. A text is repaired only if it starts and
    ends with `"` and every run of quotes in between has an even length; anything else is real text.
    CoVoST-2's translations carry no such residue: they are passed through this only where `written_as_csv`.
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if '"' in inner.replace('""', ""):
        return text
    return inner.replace('""', '"')


def written_as_csv(texts: Iterable[str]) -> bool:
    """Whether a column was written with CSV's quoting, pandas' default: fields with a quote in quotes, and no others.

    One text with a quote that stands otherwise says no, as the first quoted speech of a real table does.
    """
    found = False
    for text in texts:
        if '"' in text:
            if '"' not in repair_text(text) or repair_text(text) == text:
                return False
            found = True
    return found
