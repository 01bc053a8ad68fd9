"""One question as a picture: the room from above with the ego in it, and the views the model was shown."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, UInt8

from vantage.figures.style import BAD, GOOD, HAIRLINE, INK, QUIET, WORD_COLORS, figure, png_bytes
from vantage.records.objects import SceneObject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EGO = "#c2255c"
_ANSWERS_SHOWN = 5
_STRUCTURE = ("wall", "floor", "ceiling", "door", "window")
_LINE_M = 0.22


@dataclass(frozen=True)
class QuestionCard:
    """What the picture shows.

    Attributes:
        question, answer: the text and the right answer.
        said: what each arm answered, in the order shown.
        objects: the room's objects, boxes in the aligned world.
        targets: ids of the objects that the question rests on.
        T_aligned_ego: the ego (x forward, y left, z up) in the aligned world, metres.
        T_aligned_cams: the cameras of the views, the ego's first.
        half_fov: half the horizontal field of view, radians.
        views: colour images, the ego's first.
        source: a line that says where the question comes from.
    """

    question: str
    answer: str
    said: Mapping[str, str]
    objects: Sequence[SceneObject]
    targets: frozenset[int]
    T_aligned_ego: Float64[np.ndarray, "4 4"]
    T_aligned_cams: Float64[np.ndarray, "v 4 4"]
    half_fov: float
    views: Sequence[UInt8[np.ndarray, "h w 3"]]
    source: str


def question_picture(card: QuestionCard) -> bytes:
    """A PNG of one question: plan on the left, views on the right, answers below the title."""
    with figure(12.5, 6.9) as fig:
        _title(fig, card)
        _plan(fig.add_axes((0.03, 0.03, 0.44, 0.79)), card)
        _views(fig, card)
        return png_bytes(fig)


def plan_picture(card: QuestionCard, dpi: int = 80) -> bytes:
    """A PNG of the room from above alone: the ego, the cameras of the views, the objects asked about."""
    spots = np.concatenate([footprint(item) for item in card.objects] + [card.T_aligned_cams[:, :2, 3]])
    width, height = spots.max(0) - spots.min(0) + 0.9
    with figure(4.2, float(np.clip(4.2 * height / width, 2.2, 6.0))) as fig:
        _plan(fig.add_axes((0.01, 0.01, 0.98, 0.98)), card)
        return png_bytes(fig, dpi)


def _title(fig: "Figure", card: QuestionCard) -> None:
    fig.text(0.03, 0.945, textwrap.shorten(card.question, 90), fontsize=17, weight="bold", va="center")
    fig.text(0.97, 0.945, card.source, fontsize=9, color=QUIET, ha="right", va="center")
    x, y, scale = 0.03, 0.875, fig.get_figwidth() * 72
    entries = [("answer", card.answer, INK)]
    shown = list(card.said.items())[:_ANSWERS_SHOWN]
    entries += [(arm, said or "(nothing)", GOOD if said == card.answer else BAD) for arm, said in shown]
    for name, word, color in entries:
        fig.text(x, y + 0.018, name, fontsize=8, color=QUIET, va="center")
        fig.text(x, y - 0.018, word, fontsize=12, weight="bold", color=color, va="center")
        x += (max(len(name) * 5.0, len(word) * 9.0) + 24) / scale


def _plan(ax: "Axes", card: QuestionCard) -> None:
    from matplotlib.patches import Polygon

    for item in sorted(card.objects, key=lambda o: o.center[2]):
        target = item.object_id in card.targets
        fill = WORD_COLORS.get(item.color or "", "#d9dde2")
        ax.add_patch(
            Polygon(
                footprint(item),
                facecolor=fill,
                alpha=0.95 if target else 0.5,
                edgecolor=_EGO if target else QUIET,
                lw=2.6 if target else 0.8,
                zorder=3 if target else 2,
            )
        )
    _labels(ax, card)
    _ego(ax, card)
    for number, T in enumerate(card.T_aligned_cams[1:], start=2):
        _camera(ax, T, number)
    _frame_plan(ax, card)


def footprint(item: SceneObject) -> Float64[np.ndarray, "4 2"]:
    """Corners of an object's box seen from above, metres, in the aligned world."""
    signs = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)], dtype=np.float64)
    local = np.column_stack([signs * item.size[:2] / 2, np.zeros(4)])
    return np.asarray((local @ item.rotation.T + item.center)[:, :2])


def _labels(ax: Axes, card: QuestionCard) -> None:
    """Names of the furniture, targets first; one that would fall on another moves down a line."""
    from matplotlib.patheffects import withStroke

    furniture = [item for item in card.objects if item.label not in _STRUCTURE]
    placed: list[tuple[float, float]] = []
    for item in sorted(furniture, key=lambda o: (o.object_id not in card.targets, o.object_id)):
        target = item.object_id in card.targets
        x, y = _pair(item.center[:2])
        while any(abs(x - px) < 0.6 and abs(y - py) < _LINE_M for px, py in placed):
            y -= _LINE_M
        placed.append((x, y))
        ax.text(
            x,
            y,
            item.label,
            ha="center",
            va="center",
            fontsize=9.5 if target else 7.5,
            weight="bold" if target else "normal",
            color=INK,
            zorder=6,
            path_effects=[withStroke(linewidth=2.6, foreground="white")],
        )


def _ego(ax: "Axes", card: QuestionCard) -> None:
    """The ego as an arrow, its field of view as a wedge, and its axes as dashed lines through the room."""
    from matplotlib.patches import Wedge

    at, forward = card.T_aligned_ego[:2, 3], card.T_aligned_ego[:2, 0]
    left = np.array([-forward[1], forward[0]])
    yaw, spread = np.degrees(np.arctan2(forward[1], forward[0])), np.degrees(card.half_fov)
    ax.add_patch(
        Wedge(_pair(at), 1.6, yaw - spread, yaw + spread, facecolor=_EGO, alpha=0.12, lw=0, zorder=1)
    )
    for axis in (forward, left):
        ax.axline(_pair(at), _pair(at + axis), color=_EGO, lw=0.9, ls=(0, (4, 4)), alpha=0.5, zorder=1)
    ax.annotate(
        "",
        xy=_pair(at + 0.62 * forward),
        xytext=_pair(at - 0.12 * forward),
        arrowprops={"arrowstyle": "-|>,head_width=0.35,head_length=0.6", "color": _EGO, "lw": 2.4},
        zorder=7,
    )
    ax.plot(*at, "o", color=_EGO, ms=9, zorder=7)
    _number(ax, at - 0.3 * forward, 1, _EGO)


def _camera(ax: "Axes", T: Float64[np.ndarray, "4 4"], number: int) -> None:
    at, forward = T[:2, 3], T[:2, 2] / max(float(np.hypot(*T[:2, 2])), 1e-9)
    tip = at + 0.34 * forward
    ax.plot([at[0], tip[0]], [at[1], tip[1]], color=QUIET, lw=1.8, zorder=5)
    ax.plot(*at, "o", color=QUIET, ms=5, zorder=5)
    _number(ax, at - 0.2 * forward, number, QUIET)


def _pair(at: Float64[np.ndarray, "2"]) -> tuple[float, float]:
    return float(at[0]), float(at[1])


def _number(ax: "Axes", at: Float64[np.ndarray, "2"], number: int, color: str) -> None:
    bubble = {"boxstyle": "circle,pad=0.22", "facecolor": "white", "edgecolor": color, "lw": 1.1}
    ax.text(
        *_pair(at), str(number), ha="center", va="center", fontsize=7.5, color=color, bbox=bubble, zorder=8
    )


def _frame_plan(ax: "Axes", card: QuestionCard) -> None:
    points = [footprint(item) for item in card.objects] + [card.T_aligned_cams[:, :2, 3]]
    spots = np.concatenate(points)
    low, high = spots.min(0) - 0.45, spots.max(0) + 0.45
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal", anchor="N")
    ax.set_facecolor("#fbfaf7")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(True)
        side.set_color(HAIRLINE)
    x, y = low + 0.18
    ax.plot([x, x + 1], [y, y], color=INK, lw=2, solid_capstyle="butt")
    ax.text(x + 0.5, y + 0.06, "1 m", ha="center", va="bottom", fontsize=8)


def _views(fig: Figure, card: QuestionCard) -> None:
    columns = 2 if len(card.views) > 1 else 1
    width = 0.485 / columns - 0.009
    for i, image in enumerate(card.views):
        height = width * fig.get_figwidth() / fig.get_figheight() * image.shape[0] / image.shape[1]
        x = 0.487 + (i % columns) * (width + 0.009)
        y = 0.82 - height - (i // columns) * (height + 0.016)
        ax = fig.add_axes((x, y, width, height))
        ax.imshow(image, interpolation="antialiased")
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set_visible(True)
            side.set_color(_EGO if i == 0 else HAIRLINE)
            side.set_linewidth(3 if i == 0 else 1)
        tag = {"boxstyle": "round,pad=0.3", "facecolor": _EGO if i == 0 else QUIET, "lw": 0}
        place: dict[str, Any] = {
            "transform": ax.transAxes,
            "ha": "left",
            "va": "top",
            "fontsize": 9,
            "color": "white",
        }
        ax.text(0.025, 0.965, "1: me" if i == 0 else str(i + 1), bbox=tag, **place)
