"""Where the asker of a question stands, when not where the benchmark says: `vantage predict --pose-source`.

The benchmark's own place is never read here. What a source chose stands in the line of each answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.named_objects import named_objects
from vantage.evaluation.poses import RECOVERED
from vantage.evaluation.running.annotated import AnnotatedFrame
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.transforms import R_FLU_RDF, compose, invert
from vantage.records.intersections import Intersections
from vantage.recover.choice import PoseChoice
from vantage.recover.selection import Selection, choose_pose

PoseSource = Literal[
    "annotated", "first_view", "random", "none",
    "recovered_top", "recovered_clip", "recovered_top_target", "recovered_clip_target",
]  # fmt: skip
POSE_SOURCES: tuple[PoseSource, ...] = get_args(PoseSource)
"""- `annotated`: the benchmark's own place; `PosedViews` itself.
- `first_view`: the camera of the first view, views by coverage.
- `random`: a usable frame of the scan, drawn evenly.
- `none`: nobody knows: points stay in the room's own aligned world, views by coverage.
- `recovered_top`, `recovered_clip`: PoseRecover's choice for the objects that the text names.
- `..._target`: the same for the objects that the reference says the question is about: a leak at test time.
"""
_TEXTS = ("situation", "question", "description", "utterance")


@dataclass
class PosedElsewhere(PosedViews):
    """Views of scans from where a source says the asker stands.

    Attributes:
        source: one of `POSE_SOURCES` but `annotated`.
        seed: of its draws, together with the question's id.
    """

    source: PoseSource = "first_view"
    seed: int = 0
    _notes: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def settings(self) -> Mapping[str, Any]:
        """Those of the views, and the source."""
        shown = super().settings()
        draws = self.source not in ("first_view", "none")
        return {**shown, "pose_source": self.source, **({"pose_seed": self.seed} if draws else {})}

    def _fields(self, item: Item[Any]) -> Mapping[str, Any]:
        return self._notes[item.id]

    def _chosen(
        self, recorded: MeasuredScan, _annotated: AnnotatedFrame, item: Item[Any]
    ) -> ScanViews | None:
        """Views for an item alone; None for those of the whole scan."""
        if self.source in ("first_view", "none"):
            self._notes[item.id] = {"pose_source": self.source, "pose_uses_target": False}
            return None
        choice = chosen_pose(recorded, item, self.source, self.seed)
        self._notes[item.id] = {**choice.record(), "pose_frame_id": choice.frame_id}
        if choice.T_world_pose is None:
            raise ParameterError("no frame of the scan is usable", where=recorded.meta.scan_id)
        frame = next(frame for frame in recorded.kept if frame.frame_id == choice.frame_id)
        frames = recorded.chosen(self.views, frame)
        return ScanViews(recorded.folder, recorded.meta, frames, choice.T_world_pose)

    def _anywhere(self, recorded: MeasuredScan) -> ScanViews:
        views = super()._anywhere(recorded)
        if self.source != "none":
            return views
        T_raw_me = invert(recorded.meta.T_aligned_raw) @ _AT_THE_ORIGIN
        return ScanViews(views.folder, views.meta, views.frames, T_raw_me)


_AT_THE_ORIGIN: Float64[np.ndarray, "4 4"] = compose(R_FLU_RDF, np.zeros(3))
"""A camera whose ego frames, level or not, are the world itself."""


def chosen_pose(recorded: MeasuredScan, item: Item[Any], source: PoseSource, seed: int) -> PoseChoice:
    """The pose that `recover` chooses for a question, in the raw world.

    A question that names no object of the scan, or one that no frame sees, gets a random pose, and the choice
    says why.

    Raises:
        ParameterError: the reference does not say which objects the question is about.
        ScanError: the scan's objects cannot be scored.
    """
    poses = {frame.frame_id: frame.T_raw_cam for frame in recorded.kept}
    if source == "random":
        names = tuple(f"{frame}.txt" for frame in sorted(poses))
        nothing = Intersections(names, np.zeros(0, np.int64), np.zeros((len(names), 0), np.float32))
        return choose_pose(nothing, poses, [], Selection("random", seed=seed), key=item.id)
    strategy, leaks = RECOVERED[source]
    ids = targets_of(item) if leaks else named_objects(text_of(item), recorded.objects)
    selection = Selection(strategy, seed=seed, ids_are_target=leaks)
    return choose_pose(recorded.scores(), poses, ids, selection, key=item.id)


def text_of(item: Item[Any]) -> str:
    """What is said to the model of a question, its situation included; no answer."""
    return " ".join(str(getattr(item.content, name)) for name in _TEXTS if hasattr(item.content, name))


def targets_of(item: Item[Any]) -> tuple[int, ...]:
    """The objects that a reference says its question is about.

    Raises `ParameterError` for a benchmark whose references do not say.
    """
    if not hasattr(item.content, "targets"):
        raise ParameterError(
            "the references do not say which object a question is about", where=f"item {item.id}",
            expected="scanqa, scanrefer, multi3drefer or nr3d",
            hint="the sources recovered_top and recovered_clip read the text instead",
        )  # fmt: skip
    found: tuple[int, ...] = item.content.targets()
    return found
