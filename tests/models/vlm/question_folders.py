"""The folders of four stages with scans made by hand: shaded pictures, random points, a few questions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.core.hashing import digest_tree
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose, from_yaw, level_ego
from vantage.geometry.warp import ImageWarp, squash
from vantage.records.frames import Frame, PixelRef, write_frames
from vantage.records.index import IndexRow, write_index
from vantage.records.patches import PatchCoordinates, write_patches
from vantage.records.questions import Question, write_questions
from vantage.records.scan import ScanMeta, write_scan

STAGES = ("download", "extract", "lift", "synthesize")
CAMERA = Pinhole(96, 72, 60.0, 60.0, 47.5, 35.5)
FRAMES = (0, 3, 5, 9)
DOWN = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a level camera that looks along x


@dataclass
class Folders:
    """Where the stages' outputs lie."""

    root: Path
    camera: Pinhole = CAMERA
    warp: ImageWarp | None = None
    grid: tuple[int, ...] = (4, 6)

    @property
    def inputs(self) -> dict[str, Path]:
        return {stage: self.root / stage for stage in STAGES}

    def index(self, digests: bool = True) -> None:
        for folder in self.inputs.values():
            items = sorted(path for path in folder.iterdir() if path.is_dir())
            rows = [IndexRow(path.name, "done", digest_tree(path) if digests else "") for path in items]
            write_index(folder, [*rows, IndexRow("room9999_00", "set_aside", "", "unreadable")])

    def scan(
        self, scan: str, split: str = "train", shade: int = 40, asked: Sequence[Question] | None = None
    ) -> PatchCoordinates:
        """Write a scan; frame f is grey `shade + f`. Frames look along other headings from other places."""
        folders = {stage: path / scan for stage, path in self.inputs.items()}
        for folder in folders.values():
            folder.mkdir(parents=True)
        refs, blob = [], b""
        for frame in FRAMES:
            buffer = io.BytesIO()
            Image.new("RGB", (self.camera.width, self.camera.height), (shade + frame,) * 3).save(
                buffer, "png"
            )
            refs.append(PixelRef("pixels.bin", len(blob), len(buffer.getvalue()), "png"))
            blob += buffer.getvalue()
        (folders["download"] / "pixels.bin").write_bytes(blob)
        T_aligned_raw = from_yaw(0.4, (0.5, -1.0, 0.1))
        meta = ScanMeta(scan, scan[:8], T_aligned_raw, self.camera, self.camera, 0.001, True)
        write_scan(folders["extract"], meta)
        frames = [
            Frame(f, True, "", np.linalg.inv(T_aligned_raw) @ pose(shade, f), 0.0, ref, ref, 1.0, 99.0, 0.5)
            for f, ref in zip(FRAMES, refs, strict=True)
        ]
        write_frames(folders["extract"], frames)
        patches = self.patches(shade)
        write_patches(folders["lift"], patches)
        write_questions(folders["synthesize"], questions(scan, split, shade) if asked is None else asked)
        return patches

    def patches(self, shade: int) -> PatchCoordinates:
        shape = self.grid if self.warp is None else self.warp.shape
        rng = np.random.default_rng(shade)
        full = (len(FRAMES), *shape)
        valid = rng.random(full) < 0.8
        xyz = np.where(valid[..., None], rng.normal(0, 2, (*full, 3)), 0).astype(np.float32)
        zeros, ones = np.zeros(full, np.float32), np.ones(full, np.float32)
        return PatchCoordinates(np.array(FRAMES), xyz, valid, zeros, ones, self.warp)


def pose(shade: int, frame: int) -> np.ndarray:
    """T_aligned_cam of a frame: level, 1.5 m high."""
    return from_yaw(0.7 * frame + shade, (0.3 * frame, 0.1 * shade, 0.0)) @ compose(
        DOWN, np.array([0, 0, 1.5])
    )


def question(scan: str, split: str, shade: int, text: str, answer: str, views: tuple[int, ...]) -> Question:
    family = text.split()[0]
    return Question(
        question_id=f"{scan}-{text}", scan_id=scan, room_id=scan[:8], split=split, family=family, slice="",
        question=text, answer=answer, reasoning="",
        evidence={"object_ids": [], "names": []}, ego_frame_id=views[0] if views else 0,
        pose_source="recorded_frame", pose_uses_target=False,
        T_aligned_ego=level_ego(pose(shade, views[0] if views else 0)), views=list(views),
        learnable_by_pocket=True,
    )  # fmt: skip


def questions(scan: str, split: str, shade: int) -> list[Question]:
    """Two egos; the first is asked three things, one of another family."""
    return [
        question(scan, split, shade, "where is the chair", "back-left", (3, 0, 5)),
        question(scan, split, shade, "is there a box", "no", (3, 0, 5)),
        question(scan, split, shade, "count the beds", "two", (3, 0, 5)),
        question(scan, split, shade, "is there a bed", "yes", (9, 0)),
    ]


def tiled(camera: Pinhole) -> ImageWarp:
    """The whole image and two tiles of other grids."""
    whole = squash(camera.width, camera.height, 16, 4)
    tile = whole.tiles[0]
    wide = replace(tile, width=24, height=8)
    return replace(whole, tiles=(tile, tile.cropped(0, 0, 8, 16), wide))
