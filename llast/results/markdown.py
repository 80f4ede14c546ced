"""Sections of text and tables, written as Markdown that also reads well on a terminal, and as an HTML page."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

STYLE = """
:root { color-scheme: light dark; --line: #d5dae0; --muted: #5d6673; }
@media (prefers-color-scheme: dark) { :root { --line: #3a424d; --muted: #a3acb8; } }
body { margin: 2rem auto; padding: 0 1.25rem; max-width: 80rem; font: 16px/1.55 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } tbody th { font-weight: 500; }
.left { text-align: left; padding-left: 0; }
ul { color: var(--muted); font-size: .9rem; padding-left: 1.2rem; } code { overflow-wrap: anywhere; }
"""


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
    lines: list[str] = []
    for number, section in enumerate(sections):
        lines += [f"{'#' if number == 0 else '##'} {section.title}", "", section.text, ""]
        lines += [*_table(section.header, section.rows), ""]
        if section.notes:
            lines += [*(f"- {note}" for note in section.notes), ""]
    return "\n".join(lines)


def as_html(sections: Sequence[Section]) -> str:
    """The sections as one page that needs no other file."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(sections[0].title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
    ]
    for number, section in enumerate(sections):
        level = 1 if number == 0 else 2
        parts += [f"<h{level}>{_inline(section.title)}</h{level}>", f"<p>{_inline(section.text)}</p>"]
        head = "".join(f"<th{_left(i)}>{_inline(name)}</th>" for i, name in enumerate(section.header))
        parts.append(f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>')
        for row in section.rows:
            cells = "".join(f"<td>{_inline(cell)}</td>" for cell in row[1:])
            parts.append(f"<tr><th{_left(0)}>{_inline(row[0])}</th>{cells}</tr>")
        parts.append("</tbody></table></div>")
        if section.notes:
            parts.append("<ul>" + "".join(f"<li>{_inline(note)}</li>" for note in section.notes) + "</ul>")
    return "\n".join([*parts, "</body>\n</html>\n"])


def _left(column: int) -> str:
    return ' class="left"' if column == 0 else ""


def _inline(text: str) -> str:
    text = html.escape(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with columns padded to one width, the first flush left."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if i == 0 else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return [line(header), line(rule), *(line(row) for row in rows)]
