"""The views of an ego: its own frame, then those that show most."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vantage.core import seeds
from vantage.lift.coverage import greedy_coverage
from vantage.questions.recorded import Recorded


def choose_views(
    recorded: Recorded, ego: int, n: int, seed: int, must_see: Iterable[int] = ()
) -> tuple[int, ...]:
    """The ego's frame, then greedily the frame that shows most objects not shown yet, `n` in all.

    Objects of `must_see` count before all others: each is shown if any frame shows it and `n` leaves as many
    choices as there are such objects out of the ego's sight. Ties, frames that add nothing among them, fall
    to a hash priority of seed, scan, ego and frame.

    Returns:
        Frame ids, the ego first; all kept frames when there are no more than `n`.
    """
    frames = recorded.frame_ids
    cover = greedy_coverage(
        [np.flatnonzero(row) for row in recorded.sees],
        n,
        [seeds.priority(seed, "views", recorded.scan_id, ego, frame) for frame in frames],
        given=[frames.index(ego)],
        wanted=np.flatnonzero(
            np.isin(np.array(recorded.object_ids, dtype=np.int64), list(must_see))
        ).tolist(),
    )
    return tuple(frames[row] for row in cover.chosen)


def shown_by(recorded: Recorded, views: Iterable[int]) -> frozenset[int]:
    """Ids of the objects that some of the views (frame ids) show."""
    rows = [recorded.frame_ids.index(frame) for frame in views]
    return frozenset(recorded.object_ids[k] for k in np.flatnonzero(recorded.sees[rows].any(axis=0)))
