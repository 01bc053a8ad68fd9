"""Situations of a scan: from which recorded frames questions are asked, and which views go with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.geometry import transforms
from vantage.geometry.camera import Pinhole
from vantage.questions.config import SynthesizeConfig
from vantage.questions.egos import Choices, chosen_egos, spread
from vantage.questions.recorded import Recorded
from vantage.questions.scene import Scene, Seen
from vantage.questions.views import choose_views, shown_by
from vantage.recover.choice import PoseChoice

MODEL_PX = 64
"""Side of the image in whose pixels columns are told (the colour image, squashed)."""


@dataclass(frozen=True)
class Situation:
    """An ego pose, its views, and what they show.

    Attributes:
        views: frame ids, the ego's own first.
        T_aligned_ego: maps `ego_level` of view 1 to `aligned`, metres.
        seen: what the views show.
        chosen_for: the objects that the ego was chosen for, and how; empty for a frame of the path.
    """

    views: tuple[int, ...]
    T_aligned_ego: Float64[np.ndarray, "4 4"]
    seen: Seen
    chosen_for: Mapping[int, PoseChoice] = field(default_factory=dict)

    def asks_about(self, object_ids: Iterable[int]) -> bool:
        """Whether a question that rests on these objects is asked from here.

        From an ego that was chosen for objects, only about one of these, or about none at all ("no" of
        `exist`), so that a pose says nothing about yes or no.
        """
        ids = set(object_ids)
        return not self.chosen_for or not ids or not ids.isdisjoint(self.chosen_for)

    def pose_of(self, object_ids: Sequence[int]) -> dict[str, Any]:
        """The pose's fields in the record of a question that rests on these objects.

        Of several objects that the ego was chosen for, the first in the text tells. The target decided only
        if the question is about it.
        """
        if not self.chosen_for:
            return {"pose_source": "recorded_frame", "pose_uses_target": False}
        about = [k for k in object_ids if k in self.chosen_for]
        choice = self.chosen_for[about[0] if about else min(self.chosen_for)]
        return {**choice.record(), "pose_uses_target": choice.uses_target and bool(about)}


def situate(
    recorded: Recorded, scene: Scene, views: tuple[int, ...], chosen_for: Choices | None = None
) -> Situation:
    """The situation of given views (frame ids, the ego first)."""
    row = recorded.frame_ids.index(views[0])
    T_aligned_cam = recorded.T_aligned_cam[row]
    first = [recorded.object_ids[column] for column in np.flatnonzero(recorded.sees[row])]
    first = [object_id for object_id in first if object_id in scene.by_id]
    columns = _columns(recorded.cameras[row], T_aligned_cam, scene, first)
    return Situation(
        views=views,
        T_aligned_ego=transforms.level_ego(T_aligned_cam),
        seen=Seen(
            first=dict(zip(first, columns, strict=True)),
            views=shown_by(recorded, views),
        ),
        chosen_for=chosen_for or {},
    )


def situations_of(
    recorded: Recorded, scene: Scene, egos: int, seed: int, config: SynthesizeConfig
) -> list[Situation]:
    """At most `egos` situations of a scan, from where `config` says, with its number of views each."""
    if config.pose.source == "recorded_frame":
        chosen: dict[int, Choices] = {
            ego: {} for ego in spread(recorded.frame_ids, egos, seed, recorded.scan_id)
        }
    else:
        chosen = chosen_egos(recorded, [o.object_id for o in scene.objects], egos, seed, config.pose)
    n = config.views_per_question
    return [
        situate(recorded, scene, choose_views(recorded, ego, n, seed), choices)
        for ego, choices in chosen.items()
    ]


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
