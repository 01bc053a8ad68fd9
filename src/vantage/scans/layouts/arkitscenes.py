"""A recording of Apple's ARKitScenes, in its low resolution assets.

`lowres_wide/<video>_<time>.png`, `lowres_depth/<video>_<time>.png` (mm), a line `w h fx fy cx cy` for each
frame in `lowres_wide_intrinsics/<video>_<time>.pincam`, and `lowres_wide.traj` (`time rx ry rz tx ty tz`:
axis times angle, world to camera). The world has z up. `confidence` is not used.

As in Apple's own loader a frame takes the nearest pose less than 5 ms away, and intrinsics up to 1 ms away.
Poses come at about 10 Hz. They are not interpolated: frames between them stay in the list without a pose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import frame, image_shape, read_text, registered, scan, under
from vantage.scans.layouts.trajectory import associate, read_rotation_vectors, require_pairs
from vantage.scans.layouts.writing import numbers, register, save_color, save_depth, save_lines
from vantage.scans.raw import RawFrame, RawScan, camera_of

WITHIN_S = 0.005
TRAJECTORY = "lowres_wide.traj"
PARTS = {
    "color": ("lowres_wide", "png"),
    "depth": ("lowres_depth", "png"),
    "camera": ("lowres_wide_intrinsics", "pincam"),
}


class ArkitScenesLayout:
    """An ARKitScenes recording."""

    name = "arkitscenes"
    example = "lowres_wide/40777060_98.764.png, lowres_depth, lowres_wide_intrinsics, lowres_wide.traj"
    convention = Convention(poses="world_to_camera", up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether the three folders and the trajectory are there."""
        return all((folder / sub).is_dir() for sub, _ in PARTS.values()) and (folder / TRAJECTORY).is_file()

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, intrinsics and the trajectory."""
        parts = _parts(folder, scan_id)
        return under(
            folder, [folder / TRAJECTORY, *(path for part in parts.values() for path in part.values())]
        )

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places. A frame's id is its time stamp in milliseconds.

        Raises ScanError when the folder holds several videos, no pose is near any frame, or no frame has
        intrinsics.
        """
        parts = _parts(folder, scan_id)
        ids = sorted(parts["color"])
        if not ids:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        times = np.array(ids) / 1000.0
        poses = read_rotation_vectors(folder / TRAJECTORY)
        delayed = poses.keys + reading.pose_delay_s
        to_pose = associate(times, delayed, WITHIN_S)
        require_pairs(to_pose, (PARTS["color"][0], TRAJECTORY), (times, delayed), WITHIN_S)
        shape = image_shape("color", (parts["color"][k] for k in ids))
        depth_shape = image_shape("depth", parts["depth"].values())
        frames, eyes = [], []
        for i in range(0, len(ids), reading.stride):
            k = ids[i]
            stored = f"no pose within {WITHIN_S:g} s" if to_pose[i] < 0 else poses.stored(int(to_pose[i]))
            both = {"color": parts["color"][k], "depth": _near(parts["depth"], k)}
            raw = frame(folder, k, both, stored, reading.convention, float(times[i]))
            given = reading.color_intrinsics
            eye = camera_of(shape, given, scan_id) if given else _eye(parts["camera"], k, shape)
            if isinstance(eye, Pinhole):
                eyes.append(registered(eye, depth_shape, reading))
                if not given:
                    raw = _with(raw, eyes[-1])
            else:
                raw = replace(raw, problem=raw.problem or eye)
            frames.append(raw)
        if not eyes:
            raise ScanError(
                "no frame has intrinsics", where=scan_id, expected=self.example, found=frames[0].problem
            )
        return scan(self.name, reading, eyes[0], frames, len(ids))


def _parts(folder: Path, scan_id: str) -> dict[str, dict[int, Path]]:
    """Files by time stamp in milliseconds."""
    parts: dict[str, dict[int, Path]] = {}
    videos = set()
    for part, (sub, ending) in PARTS.items():
        found = parts.setdefault(part, {})
        for path in sorted((folder / sub).iterdir()):
            if not (match := re.fullmatch(rf"(\d+)_(\d+\.\d+)\.{ending}", path.name, re.ASCII)):
                continue
            videos.add(match[1])
            other = found.setdefault(round(float(match[2]) * 1000), path)
            if other is not path and match[1] == other.name.split("_")[0]:
                both = f"{other.name} and {path.name}"
                raise ScanError("a time stamp twice", where=f"{sub}/", expected="one file a time", found=both)
    if len(videos) > 1:
        names = ", ".join(sorted(videos)[:8])
        raise ScanError("a folder holds several recordings", where=scan_id, expected="one video", found=names)
    return parts


def _near(files: Mapping[int, Path], k: int) -> Path | None:
    """The file of a time stamp, or of the millisecond before or after it."""
    return files.get(k) or files.get(k - 1) or files.get(k + 1)


def _eye(files: Mapping[int, Path], k: int, shape: tuple[int, int]) -> Pinhole | str:
    """The frame's own camera, or why there is none."""
    if (path := _near(files, k)) is None:
        return "no intrinsics file"
    try:
        width, height, *intrinsics = (float(word) for word in read_text(path).split())
        fx, fy, cx, cy = intrinsics
        eye = Pinhole(int(width), int(height), fx, fy, cx, cy)
    except (ValueError, OverflowError):
        return f"unreadable intrinsics: {path.name} is not w h fx fy cx cy"
    except ScanError as error:
        return f"unreadable intrinsics: {error.one_line()}"
    if (eye.width, eye.height) != shape:
        return f"intrinsics of another size: {eye.width}x{eye.height} for images of {shape[0]}x{shape[1]}"
    return eye


def _with(raw: RawFrame, cameras: tuple[Pinhole, Pinhole]) -> RawFrame:
    color, depth = (_four(eye) for eye in cameras)
    return replace(raw, color_intrinsics=color, depth_intrinsics=depth)


def _four(eye: Pinhole) -> Intrinsics:
    return eye.fx, eye.fy, eye.cx, eye.cy


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, colour registered to depth; time stamps are rounded to 1 ms."""
    from scipy.spatial.transform import Rotation

    recording = register(recording)
    eye, poses = recording.color_camera, []
    for k, (time, T) in enumerate(zip(recording.timestamps_s, recording.T_world_cam, strict=True)):
        name = f"40777060_{time:.3f}"
        save_color(folder / "lowres_wide" / f"{name}.png", recording.color[k])
        save_depth(folder / "lowres_depth" / f"{name}.png", recording.depth_mm[k], LAYOUT.convention)
        values = numbers(np.array([eye.fx, eye.fy, eye.cx, eye.cy]))
        save_lines(
            folder / "lowres_wide_intrinsics" / f"{name}.pincam", [f"{eye.width} {eye.height} {values}"]
        )
        if np.isfinite(T).all():
            stored = LAYOUT.convention.stored(T)
            vector = Rotation.from_matrix(stored[:3, :3]).as_rotvec()
            poses.append(f"{time:.6f} {numbers(np.concatenate([vector, stored[:3, 3]]))}")
    save_lines(folder / TRAJECTORY, poses)


LAYOUT = ArkitScenesLayout()
