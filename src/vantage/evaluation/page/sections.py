"""What a report says, apart from how it is written: sections of paragraphs and tables, and their Markdown.

Paragraphs and cells may hold `code`, **strong** and *emphasised* words, which mean the same in both forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table; the first column is read as the name of its row.

    Attributes:
        head: names of the columns.
        rows: cells.
        words: whether all columns are words, not numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes:
        title: empty for paragraphs that go on with what stands above.
        body: paragraphs and tables in their order.
        level: of the heading, 2 or 3.
    """

    title: str
    body: Sequence[str | Table]
    level: int = 2


def markdown_of(sections: Iterable[Section]) -> str:
    """The sections as Markdown, each part followed by an empty line."""
    parts: list[str] = []
    for section in sections:
        if section.title:
            parts.append(f"{'#' * section.level} {section.title}\n")
        parts += [_table(part) if isinstance(part, Table) else f"{part}\n" for part in section.body]
    return "\n".join(parts)


def _table(table: Table) -> str:
    rule = ["---", *["---" if table.words else "---:"] * (len(table.head) - 1)]
    lines = [table.head, rule, *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
