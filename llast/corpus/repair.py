"""Undo the CSV residue in source sentences of Common Voice 4."""


def repair_sentence(sentence: str) -> str:
    r"""Strip one pair of quotes and un-double the inner ones, if the sentence is a quoted CSV field.

    Common Voice 4 wrote sentences that hold `'` or `"` as CSV fields (CorporaCreator issue 108):
    `She'll be all right.` stands as `"She'll be all right."`. A sentence is repaired only if it starts and
    ends with `"` and every run of quotes in between has an even length; anything else is real text.
    Translations carry no such residue and must not be passed through this.
    """
    if len(sentence) < 2 or sentence[0] != '"' or sentence[-1] != '"':
        return sentence
    inner = sentence[1:-1]
    if '"' in inner.replace('""', ""):
        return sentence
    return inner.replace('""', '"')
