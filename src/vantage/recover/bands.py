"""Which of the poses that see an object a strategy draws from, as the paper means it and as released."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

Rows = Int64[np.ndarray, "n"]


def seeing(scores: Float32[np.ndarray, "p"]) -> Rows:
    """Poses that see the object, by rising score; equal ones in the order of frames."""
    rows = np.flatnonzero(scores != 0)
    ordered: Rows = rows[np.argsort(scores[rows], kind="stable")]
    return ordered


def top(scores: Float32[np.ndarray, "p"]) -> Rows:
    """The pose of the highest score, the first of equal ones; none if no pose sees the object."""
    return np.array([int(np.argmax(scores))]) if len(seeing(scores)) else np.zeros(0, dtype=np.int64)


def paper_clip(scores: Float32[np.ndarray, "p"], cut: float) -> Rows:
    """The middle band: of the k that see the object without the int(k cut) lowest and as many highest."""
    order = seeing(scores)
    out = int(len(order) * cut)
    return order[out : len(order) - out]


def released_clip(scores: Float32[np.ndarray, "p"], cut: float) -> Rows:
    """What the released program draws from, in its two errors.

    It takes the middle band of the order, which holds positions among the poses that see the object, as ranks
    into the same order again: an arbitrary set of as many poses. And where one pose is to be cut at either
    end, it cuts none. (It sorts with an unstable sort; here equal scores keep the order of frames.)
    """
    visible = np.flatnonzero(scores != 0)
    order = np.argsort(scores[visible], kind="stable")
    out = int(len(order) * cut)
    band = order if out <= 1 else order[out:-out]
    chosen: Rows = visible[order[band]]
    return chosen
