"""Sections as HTML: every word of the outside is escaped, nothing is fetched, no script is needed."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape

from vantage.evaluation.page.sections import Section, Table

_STRONG = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_EMPHASIS = re.compile(r"\*(.+?)\*", re.DOTALL)


def inline(text: str) -> str:
    """Escaped text with its `code`, **strong** and *emphasised* words marked up; nothing within code is."""
    parts = text.replace("\0", "").split("`")
    if len(parts) % 2 == 0:  # a lone backtick is a backtick
        parts[-2:] = ["`".join(parts[-2:])]
    codes = iter(parts[1::2])
    marked = _STRONG.sub(r"<strong>\1</strong>", escape("\0".join(parts[::2])))
    marked = _EMPHASIS.sub(r"<em>\1</em>", marked)
    return re.sub("\0", lambda _: f"<code>{escape(next(codes))}</code>", marked)


def anchor(title: str) -> str:
    """An id for a heading."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def section_html(section: Section) -> str:
    """A heading and what stands below it."""
    body = [_table(part) if isinstance(part, Table) else _paragraph(part) for part in section.body]
    level = section.level
    heading = f'<h{level} id="{anchor(section.title)}">{inline(section.title)}</h{level}>'
    return "\n".join([heading, *body])


def _paragraph(text: str) -> str:
    return f"<p>{inline(text)}</p>"


def _table(table: Table) -> str:
    """A table in a frame of its own that scrolls sideways; row names stay in view."""
    head = "".join(f'<th scope="col">{inline(name)}</th>' for name in table.head)
    kind = ' class="words"' if table.words else ""
    rows = "\n".join(_row(row) for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0"><table{kind}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f"<td>{inline(cell)}</td>" for cell in others)
    return f'<tr><th scope="row">{inline(first)}</th>{rest}</tr>'


def image(data: bytes, kind: str, alt: str, size: tuple[int, int], css: str = "") -> str:
    """A picture within the page.

    Args:
        data: of the file.
        kind: `jpeg` or `png`.
        alt: what it shows, in words.
        size: width and height, pixels.
        css: its class.
    """
    text = base64.b64encode(data).decode("ascii")
    given = f' class="{escape(css)}"' if css else ""
    return (
        f'<img{given} src="data:image/{kind};base64,{text}" alt="{escape(alt)}" '
        f'width="{size[0]}" height="{size[1]}" loading="lazy">'
    )


def figure_html(svg: str, caption: str, alt: str) -> str:
    """An SVG element as a figure; `alt` is what it says, for those who cannot see it."""
    labelled = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
    return f"<figure>\n<figcaption>{inline(caption)}</figcaption>\n{labelled.strip()}\n</figure>"
