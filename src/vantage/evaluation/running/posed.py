"""Questions about scans: each with views of its scan, those of a situated question from where it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError, VantageError
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.running.annotated import AnnotatedFrame, Origin
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw, invert
from vantage.scans.layout import check_name

Frames = Literal["coverage", "path"]
"""Frames where the asker has no place: those that show most, or evenly over the path and in its order, for
questions about a video."""
FRAMES: tuple[Frames, ...] = get_args(Frames)
EYES_M = 1.5
"""Height of the asker's eyes: annotations have no height."""


@dataclass
class PosedViews:
    """Views of scans.

    Attributes:
        scans: folder of raw scans, each in a folder of its name.
        views: shown with a question.
        stride: every so many recorded frames are considered.
        origin: of SQA3D's positions.
        frames: which are shown where the asker has no place.
    """

    scans: Path
    views: int = 8
    stride: int = 1
    origin: Origin = "aligned_centre"
    frames: Frames = "coverage"

    def __post_init__(self) -> None:
        if not self.scans.is_dir():
            raise ParameterError("there is no such folder", where="--scans", found=self.scans)

    def settings(self) -> Mapping[str, Any]:
        """What the choice of frames depends on."""
        shared = {"views": self.views, "stride": self.stride}
        return {**shared, "origin": self.origin, "frames": self.frames}

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """For items of one scan, which is opened once; a scan that cannot be read sets all of them aside."""
        try:
            recorded = self._open(items[0].scene)
        except VantageError as error:
            return [SetAside(item.id, self._told(error)) for item in items]
        annotated = AnnotatedFrame(self.origin, recorded.points_raw, recorded.meta.T_aligned_raw)
        plain: ScanViews | None = None
        found: list[Ask | SetAside] = []
        for item in items:
            try:
                views = self._situated(recorded, annotated, item)
                if views is None:
                    views = plain = plain or self._anywhere(recorded)
                found.append(_ask(item.id, prompts[item.id], views, annotated))
            except VantageError as error:
                found.append(SetAside(item.id, self._told(error)))
        return found

    def _open(self, scene: str) -> MeasuredScan:
        """The scan of a scene: `DIR/NAME`, or `DIR/DATASET/NAME` for `DATASET/NAME` (VSI-Bench)."""
        if not scene:
            raise ParameterError("the item names no scan", expected="scene_id in the references")
        parts = [check_name(part) for part in scene.split("/") if part]
        whole = self.scans.joinpath(*parts)
        return MeasuredScan.open(whole if whole.is_dir() else self.scans / parts[-1], self.stride)

    def _anywhere(self, recorded: MeasuredScan) -> ScanViews:
        """Views of the whole scan."""
        some = recorded.chosen if self.frames == "coverage" else recorded.along
        return ScanViews(recorded.folder, recorded.meta, some(self.views))

    def _situated(
        self, recorded: MeasuredScan, annotated: AnnotatedFrame, item: Item[Any]
    ) -> ScanViews | None:
        """Views from where the question is asked; None where that is not known."""
        place = item.content.place() if hasattr(item.content, "place") else None
        if place is None:
            return None
        T_aligned_me = level_camera(*annotated.to_aligned(*place))
        T_raw_me = np.asarray(invert(recorded.meta.T_aligned_raw) @ T_aligned_me)
        frames = recorded.chosen(self.views, recorded.nearest(T_raw_me))
        return ScanViews(recorded.folder, recorded.meta, frames, T_raw_me)

    def _told(self, error: VantageError) -> str:
        """The reason on one line; the folder of scans is not part of it, so that machines say the same."""
        return error.one_line().replace(f"{self.scans}/", "")


def level_camera(x: float, y: float, yaw: float) -> Float64[np.ndarray, "4 4"]:
    """A camera at eye height that looks level along `yaw`, camera to aligned world."""
    T_aligned_ego = from_yaw(yaw, (x, y, EYES_M))
    return compose(T_aligned_ego[:3, :3] @ R_FLU_RDF, T_aligned_ego[:3, 3])


def _ask(name: str, prompt: str, views: ScanViews, annotated: AnnotatedFrame) -> Ask:
    camera = views.meta.color
    size = (camera.width, camera.height)
    sizes = (size,) * len(views.frames)
    return Ask(name, prompt, views.views(), sizes, views.digest(), views, annotated)
