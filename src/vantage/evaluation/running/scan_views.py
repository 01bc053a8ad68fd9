"""Posed frames of a raw scan that a question is asked with: the asker's own first, the others by coverage."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64

from vantage.core.errors import VantageError
from vantage.core.hashing import digest_bytes, digest_json
from vantage.core.seeds import priority
from vantage.core.tasks import Task
from vantage.lift.config import LiftConfig
from vantage.lift.coverage import Keys, frame_voxels, greedy_coverage
from vantage.lift.views import evenly, good_views
from vantage.records.frames import Frame, read_frames
from vantage.records.objects import read_points
from vantage.records.scan import ScanMeta, read_scan

if TYPE_CHECKING:
    from vantage.models.vlm.sample import View

CANDIDATES = 64
"""Frames whose coverage is compared; a long capture has thousands."""


@dataclass(frozen=True, eq=False)
class ScanViews:
    """Frames of a scan in the order shown.

    Attributes:
        folder: the raw scan.
        meta: its cameras and worlds.
        frames: those shown, the asker's own first where there is an asker.
        T_raw_me: where the asker's eyes are, camera to the raw world; None: at the first frame.
    """

    folder: Path
    meta: ScanMeta
    frames: tuple[Frame, ...]
    T_raw_me: Float64[np.ndarray, "4 4"] | None = None

    @property
    def T_aligned_me(self) -> Float64[np.ndarray, "4 4"]:
        """The asker's eyes, or the first view's camera, in the aligned world."""
        T_raw_me = self.frames[0].T_raw_cam if self.T_raw_me is None else self.T_raw_me
        return np.asarray(self.meta.T_aligned_raw @ T_raw_me)

    def views(self) -> tuple[View, ...]:
        """The same for a vision-language model, in the aligned world, without points."""
        from vantage.models.vlm.sample import View

        T, scan = self.meta.T_aligned_raw, self.meta.scan_id
        return tuple(
            View(f"{scan}/frame {f.frame_id}", partial(self._image, f), None, T @ f.T_raw_cam)
            for f in self.frames
        )

    def request(self, question: str | Sequence[str]) -> dict[str, Any]:
        """The request to a registered model, in the raw world of the scan."""
        from vantage.scans.pixels import read_color, read_depth

        folder, meta, frames = self.folder, self.meta, self.frames
        request = {
            "images": [read_color(folder, meta, f) for f in frames],
            "poses": np.stack([f.T_raw_cam for f in frames]),
            "intrinsics": np.stack([meta.color_of(f).matrix() for f in frames]),
            "depth": np.stack([read_depth(folder, meta, f) for f in frames]),
            "depth_intrinsics": np.stack([meta.depth_of(f).matrix() for f in frames]),
            "frame": "raw",
            "T_aligned_raw": meta.T_aligned_raw,
            "question": question,
        }
        return request if self.T_raw_me is None else {**request, "ego_pose": self.T_raw_me}

    def digest(self) -> str:
        """Digest of everything shown: encoded pixels, poses, and where the asker stands."""
        from vantage.scans.pixels import read_bytes

        shown = [
            [f.frame_id, digest_bytes(read_bytes(self.folder, f.color)), f.T_raw_cam.tolist()]
            for f in self.frames
        ]
        me = None if self.T_raw_me is None else self.T_raw_me.round(9).tolist()
        return digest_json([self.meta.scan_id, shown, self.meta.T_aligned_raw.tolist(), me])

    def _image(self, frame: Frame) -> Any:
        from PIL import Image

        from vantage.scans.pixels import read_color

        return Image.fromarray(read_color(self.folder, self.meta, frame))


class MeasuredScan:
    """A raw scan with its frames measured, from which views are chosen again and again.

    Attributes:
        folder: the raw scan.
        meta: its cameras and worlds.
        frames: all of them, by id.
        points_raw: its mesh's vertices, or points of its fused depth; metres, raw world.
    """

    def __init__(
        self, folder: Path, meta: ScanMeta, frames: Sequence[Frame], points_raw: Float32[np.ndarray, "n 3"]
    ) -> None:
        self.folder, self.meta, self.points_raw = folder, meta, points_raw
        self.frames = list(frames)
        self._seen: dict[int, Keys] = {}

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
            return cls(folder, read_scan(out), read_frames(out), read_points(out).coord)

    def nearest(self, T_raw_me: Float64[np.ndarray, "4 4"]) -> Frame:
        """The usable frame whose pose is nearest: metres apart plus radians turned."""
        return min(self.kept, key=lambda f: (_distance(f.T_raw_cam, T_raw_me), f.frame_id))

    def chosen(self, views: int, first: Frame | None = None) -> tuple[Frame, ...]:
        """`views` frames by coverage, after `first` where one is given; ties fall to a hash.

        With a first frame the others are those that show most of what it does not. Without one, frames of
        good quality alone are taken.
        """
        others = self._good()
        if first is not None:
            others = [f for f in self.kept if f.frame_id != first.frame_id]
        picks = np.unique(np.linspace(0, len(others) - 1, min(CANDIDATES, len(others))).astype(int))
        frames = [*([] if first is None else [first]), *(others[i] for i in picks)]
        ties = [priority("ask", self.meta.scan_id, f.frame_id) for f in frames]
        given = [] if first is None else [0]
        chosen = greedy_coverage([self._covered(f) for f in frames], views, ties, given=given).chosen
        return tuple(frames[i] for i in chosen)

    def along(self, views: int) -> tuple[Frame, ...]:
        """`views` frames of good quality, evenly over the path and in its order."""
        good = self._good()
        return tuple(good[place] for place in evenly(len(good), views))

    def _good(self) -> list[Frame]:
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
