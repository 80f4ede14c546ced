"""Text of others in files that people open: Markdown keeps it text, and a spreadsheet takes it for no formula."""

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")  # and their full-width forms
"""What a spreadsheet takes for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def markdown_line(text: str) -> str:
    """Text in a line of Markdown: no HTML, no line of its own. Emphasis and `code` stay what they are."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")


def markdown_cell(text: str) -> str:
    """Text in a cell of a Markdown table. After a backslash, which would be the escaped one, a bar is an entity."""
    return re.sub(r"(\\?)\|", lambda bar: f"{bar[1]}&#124;" if bar[1] else r"\|", markdown_line(text))


def markdown_row(cells: list[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(map(markdown_cell, cells))} |"


def csv_cell(text: str) -> str:
    """Text in a cell of a CSV file: with an apostrophe before what a spreadsheet would compute; numbers as they are."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
