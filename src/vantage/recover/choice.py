"""The pose from which a question is asked: where it comes from, and what was known when it was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame

Source = Literal["top", "clip", "random", "situation", "describer"]
Meaning = Literal["paper", "released"]
Fallback = Literal["", "no_object", "unknown_object", "unseen", "no_poses"]


@dataclass(frozen=True)
class PoseChoice:
    """A chosen pose.

    Attributes:
        source: the strategy, or the annotation that states the pose.
        meaning: which meaning of a strategy: the paper's or the released program's; None for annotations.
        T_world_pose: maps `pose` to `world`, metres; None if there is no pose at all.
        world: `raw` or `aligned`.
        pose: `camera` (x right, y down, z forward) or `ego_level` (on the floor, x forward, z up).
        frame_id: the recorded frame; None for a pose of no frame.
        object_id: the object whose scores decided; None if none did.
        score: its score from the pose; None if none did.
        rank: of the score among the poses that see the object: 0 is the highest, equal ones by frame.
        drawn_from: how many poses it was drawn from or compared with.
        seed: of all draws; None for annotations.
        uses_target: whether the ground-truth target had a say: at test time that is a leak.
        fallback: why the strategy could not be followed, if so: `no_object` (no id was given),
            `unknown_object` (no scores for it), `unseen` (no pose sees it): the pose is then a random one; or
            `no_poses`.
    """

    source: Source
    meaning: Meaning | None
    T_world_pose: Float64[np.ndarray, "4 4"] | None
    world: Frame
    pose: Frame
    frame_id: int | None = None
    object_id: int | None = None
    score: float | None = None
    rank: int | None = None
    drawn_from: int = 1
    seed: int | None = None
    uses_target: bool = False
    fallback: Fallback = ""

    def record(self) -> dict[str, Any]:
        """How it was chosen, JSON-able, as records of questions and of predictions have it."""
        return {
            "pose_source": self.source,
            "pose_uses_target": self.uses_target,
            "pose_meaning": self.meaning or "",
            "pose_object_id": self.object_id,
            "pose_score": self.score,
            "pose_rank": self.rank,
            "pose_drawn_from": self.drawn_from,
            "pose_seed": self.seed,
            "pose_fallback": self.fallback,
        }


def preferred(order: Sequence[Source], available: Iterable[PoseChoice]) -> PoseChoice:
    """The choice whose source comes first in `order`: an annotated pose if there is one, else a search.

    Raises ParameterError if none of the sources in `order` is available.
    """
    choices = list(available)
    for source in order:
        for choice in choices:
            if choice.source == source:
                return choice
    raise ParameterError("no pose of these sources", expected=list(order), found=[c.source for c in choices])
