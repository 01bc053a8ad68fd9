"""Small pictures for a page: every item's score on one group of questions, and the gains on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vantage.figures.scores import ScoreRow
from vantage.figures.style import HAIRLINE, INK, QUIET, arm_colors, figure, svg_text

_WIDTH_IN = 4.3
_ROW_IN = 0.25
_LABEL = 0.42  # share of the width that names take


@dataclass(frozen=True)
class GainRow:
    """A gain in percentage points with its interval on one group of questions."""

    name: str
    points: float
    low: float
    high: float


def family_svg(row: ScoreRow, items: Sequence[str], name: str) -> str:
    """An SVG element: a bar with its interval for each item, a line at the majority's score.

    Args:
        row: the group of questions, with a bar of each item.
        items: arms, then controls, from top to bottom.
        name: of the figure in its page.
    """
    colors = arm_colors(list(items))
    with figure(_WIDTH_IN, _ROW_IN * len(items) + 0.42) as fig:
        bottom = 0.3 / fig.get_figheight()
        ax = fig.add_axes((_LABEL, bottom, 0.97 - _LABEL, 0.96 - bottom))
        for at, item in enumerate(items):
            bar = row.bars[item]
            ax.barh(at, bar.percent, height=0.66, color=colors[item], zorder=2)
            ax.plot([bar.low, bar.high], [at, at], color=INK, lw=1.2, solid_capstyle="butt", zorder=3)
            ax.text(-2.5, at, item, ha="right", va="center", fontsize=8.5)
        ax.axvline(row.majority, color=INK, lw=1, ls=(0, (3, 2)), zorder=4)
        ax.set_yticks([])
        ax.set_ylim(len(items) - 0.45, -0.55)
        ax.set_xlim(0, 100)
        ax.set_xticks([0, 25, 50, 75, 100])
        ax.grid(axis="x", color=HAIRLINE, lw=0.8)
        ax.tick_params(length=0, labelsize=8.5)
        ax.spines["bottom"].set_visible(False)
        return svg_text(fig, name)


def gains_svg(rows: Sequence[GainRow], color: str, name: str) -> str:
    """An SVG element: a dot with its interval for each group of questions, a line at no gain.

    Args:
        rows: from top to bottom.
        color: of the dots.
        name: of the figure in its page.
    """
    with figure(_WIDTH_IN, _ROW_IN * len(rows) + 0.42) as fig:
        bottom = 0.3 / fig.get_figheight()
        ax = fig.add_axes((_LABEL, bottom, 0.97 - _LABEL, 0.96 - bottom))
        low, high = min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))
        margin = 0.04 * max(high - low, 1.0)
        for at, row in enumerate(rows):
            ax.plot([row.low, row.high], [at, at], color=color, lw=2, solid_capstyle="round", zorder=3)
            ax.plot([row.points], [at], "o", color=color, ms=5.5, zorder=4)
            ax.text(low - 1.5 * margin, at, row.name, ha="right", va="center", fontsize=8.5)
        ax.axvline(0, color=QUIET, lw=1, zorder=2)
        ax.set_yticks([])
        ax.set_ylim(len(rows) - 0.45, -0.55)
        ax.set_xlim(low - margin, high + margin)
        ax.grid(axis="x", color=HAIRLINE, lw=0.8)
        ax.tick_params(length=0, labelsize=8.5)
        ax.spines["bottom"].set_visible(False)
        ax.spines["left"].set_visible(False)
        return svg_text(fig, name)
