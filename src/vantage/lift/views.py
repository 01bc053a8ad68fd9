"""Which frames stand for a scan: those of good quality, by coverage, evenly over the path, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vantage.lift.config import GoodViews, ViewStrategy
from vantage.lift.coverage import Coverage, Keys, greedy_coverage
from vantage.records.frames import Frame

METHODS: Final[dict[ViewStrategy, str]] = {
    "coverage": "greedy_coverage",
    "uniform": "uniform",
    "random": "random",
}
"""The name in the record of a view set, by strategy."""


def good_views(frames: Sequence[Frame], bounds: GoodViews) -> list[int]:
    """Indices of the frames that are within the bounds; of all frames if none is."""
    good = [
        i
        for i, frame in enumerate(frames)
        if frame.depth_valid_share >= bounds.min_depth_valid_share
        and frame.blur >= bounds.min_blur
        and bounds.min_exposure <= frame.exposure <= bounds.max_exposure
    ]
    return good or list(range(len(frames)))


def evenly(total: int, n: int) -> list[int]:
    """`n` different places of `total`, evenly from the first to the last; all if there are no more.

    Of one, the first.
    """
    if n >= total:
        return list(range(total))
    steps = max(1, n - 1)
    return [(2 * i * (total - 1) + steps) // (2 * steps) for i in range(n)]


def view_set(
    covers: Sequence[Keys],
    views: int,
    priorities: Sequence[int],
    strategy: ViewStrategy = "coverage",
    among: Sequence[int] | None = None,
) -> Coverage:
    """Up to `views` of the frames `among` (all if None), each with what it adds to those before it.

    `covers` holds the distinct voxel keys of each frame, in the order of the path. All of `among` are
    chosen, once, when there are no more than `views`. `priorities` decide ties of `coverage` (the smaller
    first), and `random` takes the smallest.
    """
    among = range(len(covers)) if among is None else among
    if strategy == "coverage":
        return greedy_coverage(covers, views, priorities, among=among)
    if strategy == "uniform":
        given = [among[place] for place in evenly(len(among), views)]
    else:
        given = sorted(among, key=lambda i: (priorities[i], i))[:views]
    return greedy_coverage(covers, views, priorities, given=given, among=())
