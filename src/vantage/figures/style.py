"""One look for every picture, and PNG bytes or SVG text that depend on the picture alone."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#22262b"
QUIET = "#7b828c"
HAIRLINE = "#dfe3e8"
PAPER = "#ffffff"
GOOD = "#1a7f5a"
BAD = "#b3412e"

# Blue for what should work, orange for the baseline, greys for controls that should not work.
ARM_COLORS = {"embedding": "#2463a8", "projector": "#e09b3d"}
CONTROL_COLORS = ("#8e99a6", "#b9a6c4", "#c9c3b2", "#a9bfb8", "#d3bcbc", "#c6cdd6")

WORD_COLORS = {
    "red": "#c8402f",
    "orange": "#e8862e",
    "yellow": "#e9c53b",
    "green": "#3f9150",
    "blue": "#3568b8",
    "purple": "#7d4fa3",
    "white": "#f4f2ec",
    "black": "#2c2c2e",
}

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib, so the same on every machine
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "grid.color": HAIRLINE,
    "figure.facecolor": PAPER,
    "svg.hashsalt": "vantage",
    "svg.fonttype": "none",  # text stays text: small, and readable by machines and in any light
}


@contextmanager
def figure(width_in: float, height_in: float) -> Iterator["Figure"]:
    """An empty figure in the house style, drawn without a display and without pyplot's global state."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        made = Figure(figsize=(width_in, height_in))
        FigureCanvasAgg(made)
        yield made


def png_bytes(figure: "Figure", dpi: int = 130) -> bytes:
    """The figure as PNG without dates or version strings, so that equal pictures have equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


_ID = re.compile(r'(\bid="|url\(#|href="#)')
_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_THEME = {INK: "var(--ink)", QUIET: "var(--quiet)", HAIRLINE: "var(--line)"}


def svg_text(figure: "Figure", name: str) -> str:
    """The figure as an SVG element to stand within a page, without dates, versions or a background.

    Ink, quiet ink and hairlines are the page's own colours, `--ink`, `--quiet` and `--line`.

    Args:
        figure: made by `figure`.
        name: of the figure in its page; its ids begin with it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_METADATA)
    text = buffer.getvalue()
    text = _ID.sub(rf"\g<1>{name}-", text[text.index("<svg") :])
    for color, variable in _THEME.items():
        text = text.replace(color, variable)
    return re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r' height="[^"]*pt"', "", text, count=1), count=1
    )


def arm_colors(arms: list[str]) -> dict[str, str]:
    """A colour for each arm: the two that every report has keep theirs, controls share quiet ones."""
    controls = [arm for arm in arms if arm not in ARM_COLORS]
    quiet = {arm: CONTROL_COLORS[i % len(CONTROL_COLORS)] for i, arm in enumerate(controls)}
    return {arm: ARM_COLORS.get(arm) or quiet[arm] for arm in arms}
