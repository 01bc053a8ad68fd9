"""Situations of a scan: from which recorded frames questions are asked, and which views go with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from vantage.core import seeds
from vantage.geometry import transforms
from vantage.geometry.camera import Pinhole
from vantage.lift.coverage import greedy_coverage
from vantage.questions.scene import Scene, Seen

MODEL_PX = 64
"""Side of the image in whose pixels columns are told (the colour image, squashed)."""


@dataclass(frozen=True)
class Situation:
    """An ego pose, its views, and what they show.

    Attributes:
        views: frame ids, the ego's own first.
        T_aligned_ego: maps `ego_level` of view 1 to `aligned`, metres.
        seen: what the views show.
    """

    views: tuple[int, ...]
    T_aligned_ego: Float64[np.ndarray, "4 4"]
    seen: Seen


@dataclass(frozen=True)
class Recorded:
    """The kept frames of a scan as situations need them.

    Attributes:
        scan_id: the scan.
        frame_ids: kept frames, ascending.
        T_aligned_cam: camera to `aligned`, metres, by frame.
        object_ids: the objects of the columns of `sees`.
        sees: whether a frame shows an object (visible pixels above the threshold).
        cameras: the colour camera of each frame.
    """

    scan_id: str
    frame_ids: tuple[int, ...]
    T_aligned_cam: Float64[np.ndarray, "f 4 4"]
    object_ids: tuple[int, ...]
    sees: Bool[np.ndarray, "f o"]
    cameras: tuple[Pinhole, ...]


def spread(frame_ids: Sequence[int], n: int, seed: int, scan_id: str) -> tuple[int, ...]:
    """At most `n` frames spread evenly over a path, in order; where they start is drawn from the seed."""
    total = len(frame_ids)
    if total <= n:
        return tuple(frame_ids)
    offset = seeds.fraction(seed, "egos", scan_id)
    return tuple(frame_ids[int((i + offset) * total / n)] for i in range(n))


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


def situate(recorded: Recorded, scene: Scene, views: tuple[int, ...]) -> Situation:
    """The situation of given views (frame ids, the ego first)."""
    rows = [recorded.frame_ids.index(frame) for frame in views]
    shown = np.flatnonzero(recorded.sees[rows].any(axis=0))
    T_aligned_cam = recorded.T_aligned_cam[rows[0]]
    first = [recorded.object_ids[column] for column in np.flatnonzero(recorded.sees[rows[0]])]
    first = [object_id for object_id in first if object_id in scene.by_id]
    columns = _columns(recorded.cameras[rows[0]], T_aligned_cam, scene, first)
    return Situation(
        views=views,
        T_aligned_ego=transforms.level_ego(T_aligned_cam),
        seen=Seen(
            first=dict(zip(first, columns, strict=True)),
            views=frozenset(recorded.object_ids[column] for column in shown),
        ),
    )


def situations_of(recorded: Recorded, scene: Scene, egos: int, views: int, seed: int) -> list[Situation]:
    """At most `egos` situations of a scan, with `views` views each."""
    chosen = spread(recorded.frame_ids, egos, seed, recorded.scan_id)
    return [situate(recorded, scene, choose_views(recorded, ego, views, seed)) for ego in chosen]


def _columns(
    camera: Pinhole, T_aligned_cam: Float64[np.ndarray, "4 4"], scene: Scene, object_ids: Sequence[int]
) -> list[float]:
    """Columns (px of the model image) of box centres; NaN outside the picture."""
    if not object_ids:
        return []
    centers = np.array([scene.by_id[object_id].center for object_id in object_ids])
    small = camera.resized(MODEL_PX, MODEL_PX)
    uv, _ = small.project(transforms.apply(transforms.invert(T_aligned_cam), centers))
    return [float(u) for u in np.where(small.inside(uv), uv[:, 0], np.nan)]
