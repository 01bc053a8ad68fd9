"""TUM RGB-D: streams of images and poses, paired by their time stamps.

`rgb.txt` and `depth.txt` list `timestamp file`, `groundtruth.txt` lists `timestamp tx ty tz qx qy qz qw`. As
in the benchmark's own tools, images are paired one to one within 0.02 s, and each takes the nearest pose
within 0.02 s. Depth is registered to colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ScanError
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_png, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording, stored_depth
from vantage.scans.layouts.images import lacking, ref, size_of
from vantage.scans.layouts.texts import poses_of, quaternions_of, read_intrinsics, read_lines, read_table
from vantage.scans.layouts.times import nearest, paired
from vantage.scans.raw import RawFrame, RawScan, camera_of

LISTS = ("rgb.txt", "depth.txt", "groundtruth.txt")
INTRINSICS = "intrinsics.txt"
WITHIN_S = 0.02

#: Of the benchmark's three cameras, from its documentation; depth is registered to colour.
KNOWN: dict[str, Intrinsics] = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}


@dataclass(frozen=True, eq=False)
class Stream:
    """Images with their time stamps, in the order of their list."""

    times_s: Float64[np.ndarray, "n"]
    paths: list[Path]


class TumLayout:
    """`rgb.txt`, `depth.txt`, `groundtruth.txt`. A frame's id is its position in `rgb.txt`."""

    name = "tum"
    example = "rgb.txt, depth.txt, groundtruth.txt, rgb/*.png, depth/*.png"
    convention = Convention(depth_units_per_m=5000.0, up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether the three lists are there."""
        return all((folder / name).is_file() for name in LISTS)

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """The lists, what they name, and intrinsics where there are some."""
        streams = (read_stream(folder, name) for name in LISTS[:2])
        paths = [folder / name for name in (*LISTS, INTRINSICS)] + [p for s in streams for p in s.paths]
        return {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; ScanError when nothing can be paired."""
        color, depth = (read_stream(folder, name) for name in LISTS[:2])
        poses = read_table(folder / LISTS[2], 8)
        image = paired(color.times_s, depth.times_s, WITHIN_S)
        pose = nearest(poses[:, 0] + reading.pose_delay_s, color.times_s, WITHIN_S)
        _require_pairs(image, color.times_s, depth.times_s, LISTS[1], scan_id)
        _require_pairs(pose, color.times_s, poses[:, 0] + reading.pose_delay_s, LISTS[2], scan_id)
        stored = poses_of(poses[:, 1:4], poses[:, 4:])
        frames = [
            _frame(k, folder, color, depth, int(image[k]), None if pose[k] < 0 else stored[pose[k]], reading)
            for k in range(0, len(color.paths), reading.stride)
        ]
        intrinsics = reading.color_intrinsics or _intrinsics(folder, scan_id)
        eye = camera_of(size_of(color.paths, "rgb"), intrinsics, scan_id)
        depth_eye = camera_of(size_of(depth.paths, "depth"), intrinsics, scan_id)
        return RawScan(
            color=eye,
            depth=depth_eye.with_intrinsics(reading.depth_intrinsics),
            depth_unit_m=1.0 / reading.convention.depth_units_per_m,
            frames=frames,
            recorded=len(color.paths),
            extrinsics=False,
            up=reading.convention.up,
            layout=self.name,
        )


def read_stream(folder: Path, name: str) -> Stream:
    """A list of `timestamp file`; ScanError at a line of another form or a file outside the folder."""
    times: list[float] = []
    paths: list[Path] = []
    for number, words in read_lines(folder / name):
        where, found = f"{name}, line {number}", " ".join(words)[:80]
        try:
            time_s, file = float(words[0]), PurePosixPath(words[1])
        except (ValueError, IndexError) as error:
            raise ScanError("a bad line", where=where, expected="timestamp file", found=found) from error
        if file.is_absolute() or ".." in file.parts or not np.isfinite(time_s):
            expected = "a finite time stamp and a file in the scan's folder"
            raise ScanError("a bad line", where=where, expected=expected, found=found)
        if times and time_s in times[-1:]:
            raise ScanError("a time stamp occurs twice", where=where, found=found)
        times.append(time_s)
        paths.append(folder / file)
    return Stream(np.array(times, dtype=np.float64), paths)


def _frame(
    k: int,
    folder: Path,
    color: Stream,
    depth: Stream,
    partner: int,
    stored: Float64[np.ndarray, "4 4"] | None,
    reading: Reading,
) -> RawFrame:
    refs = ref(folder, color.paths[k]), ref(folder, depth.paths[partner] if partner >= 0 else None)
    problem = lacking(color=refs[0], depth=refs[1])
    if stored is None:
        gone = f"no pose within {WITHIN_S} s"
        return RawFrame(k, *refs, timestamp_s=float(color.times_s[k]), problem=problem or gone)
    T_raw_cam = reading.convention.T_world_cam(stored)
    return RawFrame(k, *refs, T_raw_cam, float(color.times_s[k]), problem)


def _require_pairs(
    index: np.ndarray, first_s: np.ndarray, second_s: np.ndarray, file: str, scan_id: str
) -> None:
    if (index >= 0).any():
        return
    spans = [f"{t.min():.3f} to {t.max():.3f} s" if len(t) else "nothing" for t in (first_s, second_s)]
    raise ScanError(
        "no time stamps fit each other",
        where=f"{scan_id}, {LISTS[0]} and {file}",
        expected=f"time stamps within {WITHIN_S} s of each other",
        found=f"{LISTS[0]} has {spans[0]}, {file} has {spans[1]}",
        hint="Are the lists of one recording? extract.capture.pose_delay_s shifts the poses.",
    )


def _intrinsics(folder: Path, scan_id: str) -> Intrinsics:
    if (folder / INTRINSICS).is_file():
        return read_intrinsics(folder / INTRINSICS)
    for camera, values in KNOWN.items():
        if camera in scan_id or camera in folder.name:
            return values
    raise ScanError(
        "no intrinsics",
        where=scan_id,
        expected=f"{INTRINSICS} (fx fy cx cy), or one of {', '.join(KNOWN)} in the folder's name",
        found="neither",
        hint="Write that file, or set extract.capture.color_intrinsics.",
    )


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout; the depth camera has to be the colour camera."""
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    camera = recording.color_camera
    (folder / INTRINSICS).write_text(f"{camera.fx!r} {camera.fy!r} {camera.cx!r} {camera.cy!r}\n")
    lines: dict[str, list[str]] = {name: ["# written for tests"] for name in LISTS}
    q = quaternions_of(recording.T_world_cam)
    for k, time_s in enumerate(recording.timestamps_s.tolist()):
        name = f"{time_s:.6f}.png"
        (folder / "rgb" / name).write_bytes(encode_png(recording.color[k]))
        depth = stored_depth(recording.depth_mm[k], LAYOUT.convention.depth_units_per_m)
        (folder / "depth" / name).write_bytes(encode_png16(depth))
        lines[LISTS[0]].append(f"{time_s:.6f} rgb/{name}")
        lines[LISTS[1]].append(f"{time_s:.6f} depth/{name}")
        numbers = [*recording.T_world_cam[k, :3, 3].tolist(), *q[k].tolist()]
        if np.isfinite(numbers).all():
            lines[LISTS[2]].append(" ".join([f"{time_s:.6f}", *(f"{value:.12g}" for value in numbers)]))
    for name, rows in lines.items():
        (folder / name).write_text("\n".join(rows) + "\n")


LAYOUT = TumLayout()
