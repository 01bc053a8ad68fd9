"""Posed frames of a raw scan that a question is asked with: the asker's own first, the others by coverage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from vantage.align.controls import GREY
from vantage.core.errors import VantageError
from vantage.core.hashing import digest_bytes, digest_json
from vantage.core.seeds import priority
from vantage.core.tasks import Task
from vantage.evaluation.running.outlines import outlined
from vantage.geometry.camera import Pinhole
from vantage.lift.config import LiftConfig
from vantage.lift.coverage import Keys, frame_voxels, greedy_coverage
from vantage.lift.views import evenly, good_views
from vantage.records.frames import Frame, read_frames
from vantage.records.intersections import Intersections
from vantage.records.objects import ScanPoints, SceneObject, read_objects, read_points
from vantage.records.scan import ScanMeta, read_scan

if TYPE_CHECKING:
    from vantage.models.vlm.sample import View

CANDIDATES = 64
"""Frames whose coverage is compared; a long capture has thousands."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What says where the pixels of a view lie: a frame's depth and cameras, and the pose it is told at.

    Attributes:
        folder, meta, frame: whose depth.
        T_raw_cam: camera to the raw world of the scan that is asked about, metres.
        color: the camera of the picture.
    """

    folder: Path
    meta: ScanMeta
    frame: Frame
    T_raw_cam: Float64[np.ndarray, "4 4"]
    color: Pinhole

    @classmethod
    def of(cls, folder: Path, meta: ScanMeta, frame: Frame) -> Measured:
        """A frame at its own pose."""
        return cls(folder, meta, frame, frame.T_raw_cam, meta.color_of(frame))

    @property
    def depth_camera(self) -> Pinhole:
        """The camera of the depth image."""
        return self.meta.depth_of(self.frame)

    def depth(self) -> Float32[np.ndarray, "h w"]:
        """Metres, 0 for holes; `ScanError` when it cannot be read."""
        from vantage.scans.pixels import read_depth

        return read_depth(self.folder, self.meta, self.frame)


@dataclass(frozen=True, eq=False)
class ScanViews:
    """Frames of a scan in the order shown.

    Attributes:
        folder: the raw scan.
        meta: its cameras and worlds.
        frames: those shown, the asker's own first where there is an asker.
        T_raw_me: where the asker's eyes are, camera to the raw world; None: at the first frame.
        told: what a control says of where each view lies, in place of what its own frame says.
        blind: whether nothing of it is shown: grey pictures, no points, no poses but the asker's.
        outlines: by frame id, what is drawn in red on its picture (px, turning from u to v).
    """

    folder: Path
    meta: ScanMeta
    frames: tuple[Frame, ...]
    T_raw_me: Float64[np.ndarray, "4 4"] | None = None
    told: tuple[Measured, ...] | None = None
    blind: bool = False
    outlines: Mapping[int, Float64[np.ndarray, "h 2"]] = field(default_factory=dict)

    @property
    def eyes(self) -> Float64[np.ndarray, "4 4"]:
        """Where the asker's eyes are, camera to the raw world."""
        return self.frames[0].T_raw_cam if self.T_raw_me is None else self.T_raw_me

    @property
    def T_aligned_me(self) -> Float64[np.ndarray, "4 4"]:
        """The asker's eyes, camera to the aligned world."""
        return np.asarray(self.meta.T_aligned_raw @ self.eyes)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What is told of where each view lies."""
        return self.told or tuple(Measured.of(self.folder, self.meta, frame) for frame in self.frames)

    def views(self) -> tuple[View, ...]:
        """The same for a vision-language model, in the aligned world, without points."""
        from vantage.models.vlm.sample import View

        T, scan = self.meta.T_aligned_raw, self.meta.scan_id
        return self.shown(
            View(f"{scan}/frame {frame.frame_id}", partial(self._image, frame), None, T @ at.T_raw_cam)
            for frame, at in zip(self.frames, self.measured, strict=True)
        )

    def shown(self, views: Iterable[View]) -> tuple[View, ...]:
        """Views as they are, or as `blind` shows them."""
        if not self.blind:
            return tuple(views)
        from vantage.models.vlm.controls import unseen

        return tuple(unseen(view) for view in views)

    def request(self, question: str | Sequence[str]) -> dict[str, Any]:
        """The request to a registered model, in the raw world of the scan."""
        measured = self.measured
        request: dict[str, Any] = {
            "images": [self._pixels(f) for f in self.frames],
            "poses": np.stack([at.T_raw_cam for at in measured]),
            "intrinsics": np.stack([at.color.matrix() for at in measured]),
            "frame": "raw",
            "T_aligned_raw": self.meta.T_aligned_raw,
            "question": question,
        }
        if self.blind:
            grey = [np.full_like(image, GREY) for image in request["images"]]
            poses = np.stack([self.eyes] * len(measured))
            return {**request, "images": grey, "poses": poses, "ego_pose": self.eyes}
        request |= {
            "depth": np.stack([at.depth() for at in measured]),
            "depth_intrinsics": np.stack([at.depth_camera.matrix() for at in measured]),
        }
        if self.T_raw_me is None and self.told is None:
            return request
        return {**request, "ego_pose": self.eyes}

    def digest(self) -> str:
        """Digest of everything shown: encoded pixels, outlines, poses, and where the asker stands."""
        from vantage.scans.pixels import read_bytes

        shown = [
            [f.frame_id, digest_bytes(read_bytes(self.folder, f.color)), f.T_raw_cam.tolist()]
            for f in self.frames
        ]
        me = None if self.T_raw_me is None else self.T_raw_me.round(9).tolist()
        marks = [[name, outline.round(6).tolist()] for name, outline in sorted(self.outlines.items())]
        seen = [self.meta.scan_id, shown, self.meta.T_aligned_raw.tolist(), me]
        own = digest_json([*seen, marks] if marks else seen)
        if self.blind:
            return digest_json([own, "blind"])
        if self.told is None:
            return own
        told = [[at.meta.scan_id, at.frame.frame_id, at.T_raw_cam.round(9).tolist()] for at in self.told]
        return digest_json([own, told])

    def _image(self, frame: Frame) -> Any:
        from PIL import Image

        return Image.fromarray(self._pixels(frame))

    def _pixels(self, frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
        from vantage.scans.pixels import read_color

        pixels = read_color(self.folder, self.meta, frame)
        outline = self.outlines.get(frame.frame_id)
        return pixels if outline is None else outlined(pixels, outline, gap=True)


class MeasuredScan:
    """A raw scan with its frames measured, from which views are chosen again and again.

    Attributes:
        folder: the raw scan.
        meta: its cameras and worlds.
        frames: all of them, by id.
        points: its mesh's vertices, or points of its fused depth; metres, raw world.
        objects: the annotated ones.
    """

    def __init__(
        self, folder: Path, meta: ScanMeta, frames: Sequence[Frame], points: ScanPoints,
        objects: Sequence[SceneObject] = (),
    ) -> None:  # fmt: skip
        self.folder, self.meta, self.points, self.objects = folder, meta, points, objects
        self.frames = list(frames)
        self._seen: dict[int, Keys] = {}
        self._scores: Intersections | None = None

    @property
    def points_raw(self) -> Float32[np.ndarray, "n 3"]:
        """The points' places."""
        return self.points.coord

    def scores(self) -> Intersections:
        """How much of every object each usable frame sees, as the `recover` stage has it by default.

        No column where no object is annotated. Raises `ScanError` as that stage does.
        """
        if self._scores is None:
            from vantage.recover.config import RecoverConfig
            from vantage.recover.stage import RecordedScan

            kept, config = self.kept, RecoverConfig()
            names = tuple(f"{frame.frame_id}.txt" for frame in kept)
            self._scores = Intersections(names, np.zeros(0, np.int64), np.zeros((len(kept), 0), np.float32))
            if self.objects:
                scan = RecordedScan(self.folder, config, self.meta, kept, self.objects, self.points)
                scan.without_points()
                found = scan.scores()
                self._scores = Intersections(names, found.object_ids, found.score)
        return self._scores

    @property
    def kept(self) -> list[Frame]:
        """The usable frames."""
        return [frame for frame in self.frames if frame.kept]

    @classmethod
    def open(cls, folder: Path, stride: int = 1) -> MeasuredScan:
        """Every `stride`-th frame of a raw scan of any layout.

        Raises `VantageError` when there is no such folder, `ScanError` when the scan is damaged.
        """
        from vantage.scans.config import ExtractConfig
        from vantage.scans.stage import extract

        if not folder.is_dir():
            raise VantageError(
                "there is no such scan folder",
                where=folder,
                expected="ScanNet's files or its extracted layout",
            )
        with tempfile.TemporaryDirectory(prefix="vantage-scan-") as temporary:
            out, work = Path(temporary) / "out", Path(temporary) / "work"
            out.mkdir()
            work.mkdir()
            task = Task(folder.resolve().name, {"download": folder}, out, work, seed=0)
            extract(task, ExtractConfig(stride=stride))
            return cls(folder, read_scan(out), read_frames(out), read_points(out), read_objects(out))

    def nearest(self, T_raw_me: Float64[np.ndarray, "4 4"]) -> Frame:
        """The usable frame whose pose is nearest: metres apart plus radians turned."""
        return min(self.kept, key=lambda f: (_distance(f.T_raw_cam, T_raw_me), f.frame_id))

    def chosen(
        self, views: int, first: Frame | None = None, among: Sequence[Frame] | None = None
    ) -> tuple[Frame, ...]:
        """`views` frames by coverage, after `first` where one is given; ties fall to a hash.

        With a first frame the others are those that show most of what it does not, `among` all usable ones
        if no others are given. Without one, frames of good quality alone are taken.
        """
        others = list(among or (self.good if first is None else self.kept))
        if first is not None:
            others = [f for f in others if f.frame_id != first.frame_id]
        picks = np.unique(np.linspace(0, len(others) - 1, min(CANDIDATES, len(others))).astype(int))
        frames = [*([] if first is None else [first]), *(others[i] for i in picks)]
        ties = [priority("ask", self.meta.scan_id, f.frame_id) for f in frames]
        given = [] if first is None else [0]
        chosen = greedy_coverage([self._covered(f) for f in frames], views, ties, given=given).chosen
        return tuple(frames[i] for i in chosen)

    def along(self, views: int) -> tuple[Frame, ...]:
        """`views` frames of good quality, evenly over the path and in its order."""
        good = self.good
        return tuple(good[place] for place in evenly(len(good), views))

    @property
    def good(self) -> list[Frame]:
        """Usable frames of good quality: all usable ones if none is."""
        kept = self.kept
        return [kept[i] for i in good_views(kept, LiftConfig().view_bounds)]

    def _covered(self, frame: Frame) -> Keys:
        from vantage.scans.pixels import read_depth

        if frame.frame_id not in self._seen:
            config, meta = LiftConfig(), self.meta
            self._seen[frame.frame_id] = frame_voxels(
                read_depth(self.folder, meta, frame), meta.depth_of(frame), frame.T_raw_cam, config.voxel_m,
                config.coverage_stride,
            )  # fmt: skip
        return self._seen[frame.frame_id]


def _distance(a: Float64[np.ndarray, "4 4"], b: Float64[np.ndarray, "4 4"]) -> float:
    """Metres between two cameras plus radians between their viewing directions."""
    turn = np.arccos(np.clip(a[:3, 2] @ b[:3, 2], -1.0, 1.0))
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3]) + turn)
