"""Recordings with exact poses, stored under any convention, and read as if nothing were known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.core.seeds import rng
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose
from vantage.records.frames import PixelRef
from vantage.scans.codecs import encode_depth, encode_jpeg
from vantage.scans.conventions import Convention
from vantage.scans.diagnosis.examine import read_pairs
from vantage.scans.diagnosis.search import Pair
from vantage.scans.diagnosis.verdict import PoseFinding, judge_poses
from vantage.scans.diagnosis.views import Views, usable
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.render import Scene
from vantage.scans.generated.sensor import measured_depth
from vantage.scans.raw import RawFrame, RawScan

CONFIG = GeneratedConfig(
    rooms=4, frames_per_scan=20, depth_width=160, depth_height=120, color_width=256, color_height=192
)
EYE = Pinhole(120, 90, 105.0, 105.0, 59.5, 44.5)

#: What a reader takes a recording for that knows nothing of it.
PLAIN = Convention()


@dataclass(frozen=True, eq=False)
class Recording:
    """Depth in millimetres (0 for holes), camera to world; colour may be missing."""

    camera: Pinhole
    depth_mm: np.ndarray
    T_world_cam: np.ndarray
    color_camera: Pinhole | None = None
    color: np.ndarray | None = None
    T_aligned_world: np.ndarray | None = None
    step_s: float = 0.0

    def moved(self, W: np.ndarray) -> Recording:
        """The same in another world."""
        back = None if self.T_aligned_world is None else self.T_aligned_world @ np.linalg.inv(W)
        return replace(self, T_world_cam=W @ self.T_world_cam, T_aligned_world=back)

    def only(self, frames: slice | list[int]) -> Recording:
        color = None if self.color is None else self.color[frames]
        return replace(
            self, depth_mm=self.depth_mm[frames], T_world_cam=self.T_world_cam[frames], color=color
        )

    def write(self, folder: Path, truth: Convention = PLAIN) -> RawScan:
        """Images in one file, poses stored under `truth` and read as they stand, depth taken for mm."""
        blob, frames = bytearray(), []

        def put(data: bytes, encoding: str) -> PixelRef:
            blob.extend(data)
            return PixelRef("images", len(blob) - len(data), len(data), encoding)

        for k, (depth, T) in enumerate(zip(self.depth_mm, self.T_world_cam, strict=True)):
            stored = np.rint(depth * (truth.depth_units_per_m / 1000))
            stored = np.where(stored < 65535, stored, 0).astype(np.uint16)
            color = None if self.color is None else encode_jpeg(self.color[k])
            frames.append(
                RawFrame(
                    frame_id=10 * k,
                    depth=put(encode_depth(stored, 1), "zlib_ushort"),
                    color=PixelRef("", 0, 0, "") if color is None else put(color, "jpeg"),
                    T_raw_cam=truth.stored(T),
                    timestamp_s=k * self.step_s,
                )
            )
        (folder / "images").write_bytes(bytes(blob))
        camera = self.color_camera or self.camera
        return RawScan(camera, self.camera, 0.001, frames, len(frames), False, None, "made")

    def pairs(self, folder: Path, truth: Convention, count: int = 5, points: int = 700) -> list[Pair]:
        scan = self.write(folder, truth)
        return read_pairs(usable(scan), Views(folder, scan, points), PLAIN, count, ())

    def judged(self, folder: Path, truth: Convention, claimed: Convention = PLAIN) -> PoseFinding:
        return judge_poses(self.pairs(folder, truth), claimed, thorough=True)


def recorded(scene: Scene, T_world_cam: np.ndarray, camera: Pinhole, config: object) -> Recording:
    """Depth of a room along exact poses, with the sensor's noise."""
    clean = scene.depth_views(T_world_cam, camera)
    depth = measured_depth(clean, config, rng(0, "diagnosis"))  # type: ignore[arg-type]
    return Recording(camera, depth, T_world_cam)


def noisy(recording: Recording, cm: float, deg: float) -> Recording:
    """Poses off by so much at random."""
    from scipy.spatial.transform import Rotation

    random = np.random.default_rng(0)
    poses = []
    for T in recording.T_world_cam:
        turn, shift = random.normal(size=(2, 3)) / np.sqrt(3)
        R = Rotation.from_rotvec(np.radians(deg) * turn).as_matrix()
        poses.append(T @ compose(R, shift * cm / 100))
    return replace(recording, T_world_cam=np.array(poses))


def read_office(folder: Path) -> Recording:
    ids = sorted(int(path.stem) for path in (folder / "depth").glob("*.png"))
    depth = np.stack([np.asarray(Image.open(folder / f"depth/{k}.png")).astype(np.uint16) for k in ids])
    color = np.stack([np.asarray(Image.open(folder / f"color/{k}.jpg")) for k in ids])
    poses = np.stack([np.loadtxt(folder / f"pose/{k}.txt") for k in ids])
    K = np.loadtxt(folder / "intrinsic/intrinsic_depth.txt")
    camera = Pinhole.from_matrix(depth.shape[2], depth.shape[1], K)
    return Recording(camera, depth, poses, camera, color, np.eye(4))


def read_redwood(folder: Path) -> Recording:
    lines = [line.split() for line in (folder / "trajectory.log").read_text().splitlines() if line.strip()]
    poses = np.array([lines[k + 1 : k + 5] for k in range(0, len(lines), 5)], dtype=np.float64)
    names = {part: sorted((folder / part).iterdir()) for part in ("depth", "color")}
    depth = np.stack([np.asarray(Image.open(path)).astype(np.uint16) for path in names["depth"]])
    color = np.stack([np.asarray(Image.open(path)) for path in names["color"]])
    camera = Pinhole(640, 480, 525.0, 525.0, 319.5, 239.5)
    return Recording(camera, depth, poses[: len(depth)], camera, color)
