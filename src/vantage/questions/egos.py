"""From which frames questions are asked: spread over the path, or chosen for the objects asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vantage.core import seeds
from vantage.questions.config import PoseConfig
from vantage.questions.recorded import Recorded
from vantage.records.intersections import Intersections
from vantage.recover.choice import PoseChoice
from vantage.recover.selection import Selection, choose_pose

Choices = dict[int, PoseChoice]
"""How an ego was chosen, by the object that it was chosen for."""


def spread(frame_ids: Sequence[int], n: int, seed: int, scan_id: str) -> tuple[int, ...]:
    """At most `n` frames spread evenly over a path, in order; where they start is drawn from the seed."""
    total = len(frame_ids)
    if total <= n:
        return tuple(frame_ids)
    offset = seeds.fraction(seed, "egos", scan_id)
    return tuple(frame_ids[int((i + offset) * total / n)] for i in range(n))


def chosen_egos(
    recorded: Recorded, object_ids: Sequence[int], n: int, seed: int, pose: PoseConfig
) -> dict[int, Choices]:
    """Frames chosen by `recover` for objects that will be asked about, in order, with how each was chosen.

    The objects take turns, in the order of a hash, until `n` poses were chosen; a frame chosen more than once
    for an object counts once. `pose.source` must be a strategy.
    """
    if pose.source == "recorded_frame":
        raise ValueError("a recorded frame is not chosen for an object")
    scan = recorded.scan_id
    targets = sorted(object_ids, key=lambda k: seeds.priority(seed, "targets", scan, k))
    found = Intersections(
        tuple(f"{frame}.txt" for frame in recorded.frame_ids),
        np.array(recorded.object_ids, dtype=np.int64),
        recorded.scores,
    )
    poses = dict(zip(recorded.frame_ids, recorded.T_aligned_cam, strict=True))
    selection = Selection(pose.source, pose.meaning, pose.cut, seed)
    egos: dict[int, Choices] = {}
    for turn in range(n if targets and poses else 0):
        target = targets[turn % len(targets)]
        key = f"{scan}/{target}/{turn // len(targets)}"
        choice = choose_pose(found, poses, target, selection, key=key, world="aligned")
        if choice.frame_id is not None:
            egos.setdefault(choice.frame_id, {}).setdefault(target, choice)
    return dict(sorted(egos.items()))
