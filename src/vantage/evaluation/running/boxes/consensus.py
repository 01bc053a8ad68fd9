"""What several views say of the same objects, as one set of boxes; it knows no model and no benchmark.

Two boxes are taken for the same object from an IoU of `SAME_FROM` on, the least at which the benchmarks count
a box as found. The support of a box is the sum, over the other views, of its best such IoU in each: what a
view says twice counts once. The box of most support leads; all boxes of the same object go with it; the rest
is looked at again. Ties fall to the earlier view, then to what it says first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import iou_matrix

SAME_FROM: Final = 0.25
"""IoU from which two boxes are one object."""
FOUND_IN: Final = 0.5
"""Share of the views that see an object which have to say it, where there may be none."""
_DECIMALS = 9  # of a support: what rounding differs by is a tie


@dataclass(frozen=True, eq=False)
class Agreed:
    """An object that views agree on.

    Attributes:
        box: of most support, as its view says it.
        views: numbers of the views that say it.
        support: summed IoU with what the other views say; 0 where one view alone says it.
    """

    box: OrientedBox
    views: frozenset[int]
    support: float


def agreed(said: Sequence[Sequence[OrientedBox]]) -> list[Agreed]:
    """Every object that is said, the one of most support first.

    Args:
        said: the boxes of each view, all in one frame.
    """
    boxes = [box for own in said for box in own]
    views = np.repeat(np.arange(len(said)), [len(own) for own in said]).astype(np.int64)
    stacked = OrientedBoxes.of(boxes)
    iou = iou_matrix(stacked, stacked)
    iou = np.where(iou >= SAME_FROM, iou, 0.0)
    left = np.ones(len(boxes), dtype=np.bool_)
    found = []
    while left.any():
        support = _support(iou, views, left)
        first = int(np.argmax(np.where(left, support, -1.0)))
        same = left & (iou[first] > 0)
        same[first] = True  # a box without volume shares none with itself
        found.append(Agreed(boxes[first], frozenset(views[same].tolist()), float(support[first])))
        left &= ~same
    return found


def _support(
    iou: Float64[np.ndarray, "n n"], views: Int64[np.ndarray, "n"], left: Bool[np.ndarray, "n"]
) -> Float64[np.ndarray, "n"]:
    """Of every box, by those that are left."""
    total = np.zeros(len(views))
    for view in np.unique(views[left]):
        best = iou[:, left & (views == view)].max(axis=1)
        total += np.where(views == view, 0.0, best)
    return np.round(total, _DECIMALS)


def one(said: Sequence[Sequence[OrientedBox]]) -> OrientedBox | None:
    """The box of most support, where one object is meant; None if no view says any.

    Of each view its first box counts: what follows it are other things that a description names.
    """
    found = agreed([own[:1] for own in said])
    return found[0].box if found else None


def several(
    said: Sequence[Sequence[OrientedBox]], seeing: Callable[[OrientedBox], Collection[int]]
) -> list[OrientedBox]:
    """Each object that at least half of the views say that see it, where none, one or several are meant.

    Args:
        said: as of `agreed`.
        seeing: numbers of the views that see a box's centre; what no view sees is not reported.
    """
    found = []
    for each in agreed(said):
        seen = frozenset(seeing(each.box))
        if seen and len(each.views & seen) >= FOUND_IN * len(seen):
            found.append(each.box)
    return found
