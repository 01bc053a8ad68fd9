"""Scores of arms per question family, with their intervals: the picture at the end of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vantage.figures.style import HAIRLINE, INK, QUIET, arm_colors, figure, png_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN = 0.62
_HEAD_IN = 1.55


@dataclass(frozen=True)
class Bar:
    """A score in per cent with its interval."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoreRow:
    """One family or slice: questions asked, the score of always giving the commonest answer, a remark."""

    name: str
    n: int
    majority: float
    bars: Mapping[str, Bar]
    note: str = ""


def score_picture(
    rows: Sequence[ScoreRow], arms: Sequence[str], headline: str, controls: Sequence[str]
) -> bytes:
    """A PNG: left, every row with a bar for each arm; right, the headline row with its controls too.

    Args:
        rows: what was asked, in the order shown.
        arms: the trained arms; each row has a bar of each.
        headline: the name of the row that the right panel repeats.
        controls: test-time controls; the headline row has a bar of each.
    """
    height = _HEAD_IN + _ROW_IN * max(len(rows), 4)
    colors = arm_colors([*arms, *controls])
    with figure(12.5, height) as fig:
        top, bottom = 1 - 1.2 / height, 0.6 / height
        left = fig.add_axes((0.155, bottom, 0.46, top - bottom))
        right = fig.add_axes((0.765, bottom, 0.205, top - bottom))
        _families(left, rows, arms, colors)
        _headline(right, next(row for row in rows if row.name == headline), [*arms, *controls], colors)
        fig.text(0.02, 1 - 0.42 / height, "Strict exact match on held-out rooms", fontsize=15, weight="bold")
        fig.text(
            0.02,
            1 - 0.74 / height,
            "per cent with 95 % intervals; | marks always giving the commonest answer",
            color=QUIET,
        )
        return png_bytes(fig)


def _families(ax: "Axes", rows: Sequence[ScoreRow], arms: Sequence[str], colors: Mapping[str, str]) -> None:
    thick = 0.78 / len(arms)
    for at, row in enumerate(rows):
        for i, arm in enumerate(arms):
            y = at + (i - (len(arms) - 1) / 2) * thick
            _bar(ax, y, row.bars[arm], thick * 0.88, colors[arm], arm if at == 0 else None)
        ax.plot([row.majority] * 2, [at - 0.43, at + 0.43], color=INK, lw=1.4, zorder=4)
        ax.text(-2.5, at - 0.1, row.name, ha="right", va="center", fontsize=10.5)
        detail = f"n = {row.n}" + (f" · {row.note}" if row.note else "")
        ax.text(-2.5, at + 0.22, detail, ha="right", va="center", fontsize=7.5, color=QUIET)
    ax.set_yticks([])
    ax.set_ylim(len(rows) - 0.45, -0.55)
    _percent_axis(ax)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=4,
        frameon=False,
        handlelength=1,
        columnspacing=1.2,
    )


def _headline(ax: "Axes", row: ScoreRow, arms: Sequence[str], colors: Mapping[str, str]) -> None:
    from matplotlib.patheffects import withStroke

    for at, arm in enumerate(arms):
        bar = row.bars[arm]
        _bar(ax, float(at), bar, 0.62, colors[arm], None)
        ax.text(-3, at, arm.replace("@", "\nat test: "), ha="right", va="center", fontsize=9)
        inside = bar.high > 80
        ax.text(
            bar.low - 3 if inside else bar.high + 3,
            at,
            f"{bar.percent:.0f}",
            ha="right" if inside else "left",
            va="center",
            fontsize=10,
            weight="bold",
            color="white" if inside else INK,
            zorder=5,
            # It may stand on the line of the commonest answer.
            path_effects=[] if inside else [withStroke(linewidth=3, foreground="white")],
        )
    ax.axvline(row.majority, color=INK, lw=1.4, zorder=4)
    ax.set_yticks([])
    ax.set_ylim(len(arms) - 0.45, -0.55)
    _percent_axis(ax)
    ax.set_title(f"Headline: {row.name}", loc="left", x=-0.55, fontsize=11.5, weight="bold", pad=12)


def _bar(ax: "Axes", y: float, bar: Bar, thick: float, color: str, label: str | None) -> None:
    ax.barh(y, bar.percent, height=thick, color=color, label=label, zorder=2)
    ax.plot([bar.low, bar.high], [y, y], color=INK, lw=1.1, alpha=0.75, solid_capstyle="butt", zorder=3)


def _percent_axis(ax: "Axes") -> None:
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.grid(axis="x", color=HAIRLINE, lw=0.8)
    ax.tick_params(length=0)
    ax.spines["bottom"].set_visible(False)
    ax.spines["left"].set_color(QUIET)
