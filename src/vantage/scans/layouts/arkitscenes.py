"""ARKitScenes (the 3DOD and raw releases): images named by video and time, intrinsics for each frame.

`lowres_wide.traj` has `timestamp rx ry rz tx ty tz`: an axis-angle rotation and a translation, world to
camera (Apple's own loader inverts it). A frame takes the pose nearest to its time within 5 ms, and the
intrinsics (`.pincam`: width height fx fy cx cy) of its own name, or within 2 ms, since time stamps are
rounded. `confidence/` is left alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ScanError
from vantage.geometry.transforms import compose
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_png, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.images import lacking, ref, size_of
from vantage.scans.layouts.texts import read_table
from vantage.scans.layouts.times import nearest
from vantage.scans.raw import RawFrame, RawScan, camera_of

COLOR, DEPTH, INTRINSICS, TRAJECTORY = (
    "lowres_wide",
    "lowres_depth",
    "lowres_wide_intrinsics",
    "lowres_wide.traj",
)
POSE_WITHIN_S, SAME_S = 0.005, 0.002


class ArkitScenesLayout:
    """`lowres_wide/41069021_305.123.png` and so on. A frame's id is its position by time."""

    name = "arkitscenes"
    example = f"{TRAJECTORY}, {COLOR}/V_T.png, {DEPTH}/V_T.png, {INTRINSICS}/V_T.pincam"
    convention = Convention(poses="world_to_camera", up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether trajectory, colour and depth are there."""
        return (folder / TRAJECTORY).is_file() and all((folder / part).is_dir() for part in (COLOR, DEPTH))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, intrinsics and trajectory."""
        parts = [(part, _by_time(folder / part)) for part in (COLOR, DEPTH, INTRINSICS)]
        found = {f"{part}/{path.name}": path for part, (_, paths) in parts for path in paths}
        return found | {TRAJECTORY: folder / TRAJECTORY}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; the scan's camera is that of its first frame."""
        (times, color), (depth_times, depth) = (_by_time(folder / part) for part in (COLOR, DEPTH))
        if not color or not depth:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        own = _intrinsics(folder, times, scan_id)
        poses = _poses(folder, times, scan_id, reading)
        partner = nearest(depth_times, times, SAME_S)
        sizes = size_of(color, COLOR), size_of(depth, DEPTH)
        asked = reading.color_intrinsics, reading.depth_intrinsics
        frames = []
        for k in range(0, len(color), reading.stride):
            refs = ref(folder, color[k]), ref(folder, depth[partner[k]] if partner[k] >= 0 else None)
            problem = lacking(color=refs[0], depth=refs[1]) or _problem(own[k], poses[k])
            each = (_each(say, own[k], sizes[0], size) for say, size in zip(asked, sizes, strict=True))
            frames.append(RawFrame(k, *refs, poses[k], float(times[k]), problem, *each))
        first = next(values for values in own if values is not None)
        cameras = [
            camera_of(size, say or _scaled(first, sizes[0], size), scan_id)
            for size, say in zip(sizes, asked, strict=True)
        ]
        return RawScan(
            color=cameras[0],
            depth=cameras[1],
            depth_unit_m=1.0 / reading.convention.depth_units_per_m,
            frames=frames,
            recorded=len(color),
            extrinsics=False,
            up=reading.convention.up,
            layout=self.name,
        )


def _poses(
    folder: Path, times_s: Float64[np.ndarray, "n"], scan_id: str, reading: Reading
) -> Float64[np.ndarray, "n 4 4"]:
    """`T_raw_cam` of each image, NaN where no pose is near; ScanError when that is so for all."""
    table = read_table(folder / TRAJECTORY, 7)
    index = nearest(table[:, 0] + reading.pose_delay_s, times_s, POSE_WITHIN_S)
    if not (index >= 0).any():
        spans = [f"{t.min():.3f} to {t.max():.3f} s" if len(t) else "nothing" for t in (times_s, table[:, 0])]
        where, expected = f"{scan_id}, {TRAJECTORY}", f"poses within {POSE_WITHIN_S} s of {spans[0]}"
        raise ScanError("no image has a pose", where=where, expected=expected, found=spans[1])
    poses = np.full((len(times_s), 4, 4), np.nan)
    for k in np.flatnonzero(index >= 0):
        poses[k] = reading.convention.T_world_cam(_matrix(table[index[k]]))
    return poses


def _problem(own: Intrinsics | None, T_raw_cam: Float64[np.ndarray, "4 4"]) -> str:
    if own is None:
        return "no intrinsics file"
    return f"no pose within {POSE_WITHIN_S} s" if np.isnan(T_raw_cam).all() else ""


def _each(
    asked: Intrinsics | None, own: Intrinsics | None, whose: tuple[int, int], size: tuple[int, int]
) -> Intrinsics | None:
    """A frame's own intrinsics, unless the user said some for all."""
    return None if asked is not None or own is None else _scaled(own, whose, size)


def _scaled(own: Intrinsics, whose: tuple[int, int], size: tuple[int, int]) -> Intrinsics:
    camera = camera_of(whose, own, INTRINSICS).resized(*size)
    return camera.fx, camera.fy, camera.cx, camera.cy


def _by_time(folder: Path) -> tuple[Float64[np.ndarray, "n"], list[Path]]:
    """Files named `video_time.ending`, with their times (s), by time."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = re.fullmatch(r".*_(\d+(?:\.\d+)?)\.(?:png|pincam)", path.name, re.ASCII)
        if match is not None:
            found.append((float(match[1]), path))
    found.sort()
    return np.array([time_s for time_s, _ in found], dtype=np.float64), [path for _, path in found]


def _intrinsics(folder: Path, times_s: Float64[np.ndarray, "n"], scan_id: str) -> list[Intrinsics | None]:
    """Of each frame; None where it has none. ScanError when no frame has."""
    at, paths = _by_time(folder / INTRINSICS)
    index = nearest(at, times_s, SAME_S)
    found = [_pincam(paths[i]) if i >= 0 else None for i in index]
    if all(values is None for values in found):
        raise ScanError(
            "no intrinsics", where=scan_id, expected=f"{INTRINSICS}/*.pincam", found="none that fits"
        )
    return found


def _pincam(path: Path) -> Intrinsics:
    table = read_table(path, 6)
    if len(table) != 1:
        expected, found = "one line: width height fx fy cx cy", f"{len(table)} lines"
        raise ScanError("bad intrinsics", where=path.name, expected=expected, found=found)
    _, _, fx, fy, cx, cy = table[0].tolist()
    return fx, fy, cx, cy


def _matrix(row: Float64[np.ndarray, "7"]) -> Float64[np.ndarray, "4 4"]:
    from scipy.spatial.transform import Rotation

    if not np.isfinite(row).all():
        return np.full((4, 4), np.nan)
    return compose(Rotation.from_rotvec(row[1:4]).as_matrix(), row[4:])


def write(recording: Recording, folder: Path, focal_drift: float = 0.0) -> None:
    """Write a recording in this layout; frame k's focal lengths are those of the camera times 1 + k drift."""
    from scipy.spatial.transform import Rotation

    for part in (COLOR, DEPTH, INTRINSICS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    camera, lines = recording.color_camera, []
    for k, time_s in enumerate(recording.timestamps_s.tolist()):
        stem, zoom = f"40000000_{time_s:.3f}", 1.0 + k * focal_drift
        (folder / COLOR / f"{stem}.png").write_bytes(encode_png(recording.color[k]))
        (folder / DEPTH / f"{stem}.png").write_bytes(encode_png16(recording.depth_mm[k]))
        numbers = (camera.width, camera.height, camera.fx * zoom, camera.fy * zoom, camera.cx, camera.cy)
        (folder / INTRINSICS / f"{stem}.pincam").write_text(" ".join(f"{value:.12g}" for value in numbers))
        stored = LAYOUT.convention.stored(recording.T_world_cam[k])
        if np.isfinite(stored).all():
            vector = Rotation.from_matrix(stored[:3, :3]).as_rotvec()
            values = [*vector.tolist(), *stored[:3, 3].tolist()]
            lines.append(" ".join([f"{time_s:.3f}", *(f"{value:.12g}" for value in values)]))
    (folder / TRAJECTORY).write_text("\n".join(lines) + "\n")


LAYOUT = ArkitScenesLayout()
