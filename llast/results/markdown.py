"""Sections of text and tables, written as Markdown that also reads well on a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tabulate import tabulate

from llast.markup import markdown_cell, markdown_line


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, a table whose first column names its rows, and notes.

    Texts may hold the Markdown of `code` and *emphasis*.
    """

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=list)


def as_markdown(sections: Sequence[Section]) -> str:
    """The sections as Markdown; the first has the heading of the page."""
    parts: list[str] = []
    for number, section in enumerate(sections):
        align = ["left", *["right"] * (len(section.header) - 1)]
        header, *rows = ([*map(markdown_cell, row)] for row in (section.header, *section.rows))
        table = tabulate(rows, header, "pipe", disable_numparse=True, colalign=align)
        heading = f"{'#' if number == 0 else '##'} {markdown_line(section.title)}"
        parts += [heading, markdown_line(section.text), table]
        if section.notes:
            parts.append("\n".join(f"- {markdown_line(note)}" for note in section.notes))
    return "\n\n".join(parts) + "\n"
