"""A capture as a picture: edges of depth on colour, and where a pair of frames agrees."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from vantage.figures.style import BAD, GOOD, HAIRLINE, QUIET, figure, png_bytes

_EDGE = "#ff2d78"
_HIDDEN = "#b9bfc7"


@dataclass(frozen=True, eq=False)
class CaptureCard:
    """What the picture shows.

    Attributes:
        title: the verdict.
        first, second: frame ids of the pair.
        share: of its comparable points, the share that agrees.
        color: colour image of the first frame.
        edges_px: where edges of its depth fall in it (pixels).
        off: for each depth pixel of the first frame, predicted over measured depth in the second, less 1;
            NaN where nothing is measured there.
        tolerance: up to which the two agree.
    """

    title: str
    first: int
    second: int
    share: float
    color: UInt8[np.ndarray, "H W 3"]
    edges_px: Float64[np.ndarray, "n 2"]
    off: Float64[np.ndarray, "h w"]
    tolerance: float


def capture_picture(card: CaptureCard) -> bytes:
    """A PNG: on the left whether colour lies on depth, on the right whether the pair agrees."""
    from matplotlib.colors import to_rgb

    with figure(12.5, 5.6) as fig:
        fig.text(0.02, 0.95, textwrap.shorten(card.title, 130), fontsize=11, weight="bold", va="center")
        left, right = fig.add_axes((0.02, 0.03, 0.47, 0.8)), fig.add_axes((0.51, 0.03, 0.47, 0.8))
        left.imshow(card.color)
        left.scatter(card.edges_px[:, 0], card.edges_px[:, 1], s=2.5, c=_EDGE, linewidths=0)
        left.set_title(f"frame {card.first}: edges of depth on colour", fontsize=10, color=QUIET)
        shown = np.full((*card.off.shape, 3), to_rgb(HAIRLINE))
        shown[np.abs(card.off) <= card.tolerance] = to_rgb(GOOD)
        shown[card.off > card.tolerance] = to_rgb(_HIDDEN)
        shown[card.off < -card.tolerance] = to_rgb(BAD)
        right.imshow(shown, interpolation="nearest")
        text = f"seen from frame {card.second}: {card.share:.0%} agree (green); red: cannot be; grey: hidden"
        right.set_title(text, fontsize=10, color=QUIET)
        for ax in (left, right):
            ax.set_axis_off()
        return png_bytes(fig)
