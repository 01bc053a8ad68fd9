"""What writers share: images, matrices and trajectories in files, and colour registered to depth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8, UInt16

from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg, encode_png, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Recording


def save_color(path: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a colour image as the ending says, .jpg or .png."""
    data = encode_jpeg(rgb) if path.suffix == ".jpg" else encode_png(rgb)
    _made(path).write_bytes(data)


def save_depth(
    path: Path, depth_mm: UInt16[np.ndarray, "h w"], convention: Convention, hole: int = 0
) -> None:
    """Write depth (mm, 0 for holes) as a 16 bit PNG in the convention's units.

    Raises ValueError when a depth does not fit.
    """
    units = np.rint(depth_mm * (convention.depth_units_per_m / 1000.0))
    if units.max(initial=0) > 65534:
        raise ValueError(
            f"{depth_mm.max()} mm do not fit 16 bits at {convention.depth_units_per_m:g} a metre"
        )
    units[depth_mm == 0] = hole
    _made(path).write_bytes(encode_png16(units.astype(np.uint16)))


def save_matrix(path: Path, matrix: Float[np.ndarray, "r c"]) -> None:
    """Write a matrix, one row a line."""
    _made(path).write_text(matrix_text(matrix), encoding="utf-8")


def save_intrinsics(path: Path, camera: Pinhole) -> None:
    """Write an intrinsic matrix, 4x4 as ScanNet has it."""
    save_matrix(path, square(camera))


def square(camera: Pinhole) -> Float64[np.ndarray, "4 4"]:
    """The intrinsic matrix as 4x4, as ScanNet stores it."""
    matrix = np.eye(4)
    matrix[:3, :3] = camera.matrix()
    return matrix


def save_lines(path: Path, lines: list[str]) -> None:
    """Write lines of text."""
    _made(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def matrix_text(matrix: Float[np.ndarray, "r c"]) -> str:
    """The rows of a matrix as lines of text."""
    return "".join(f"{numbers(row)}\n" for row in matrix)


def numbers(values: Float[np.ndarray, "n"]) -> str:
    """Numbers with spaces between; nine significant digits, which bring every float32 back."""
    return " ".join(f"{value:.9g}" for value in values.tolist())


def quaternion_lines(keys: list[str], T: Float[np.ndarray, "n 4 4"]) -> list[str]:
    """Lines of TUM's format: `key tx ty tz qx qy qz qw`; a pose that is not finite has none."""
    from scipy.spatial.transform import Rotation

    lines = []
    for key, pose in zip(keys, T, strict=True):
        if np.isfinite(pose).all():
            q = Rotation.from_matrix(pose[:3, :3]).as_quat()
            lines.append(f"{key} {numbers(np.concatenate([pose[:3, 3], q]))}")
    return lines


def register(recording: Recording) -> Recording:
    """The recording with colour as the depth camera sees it, as many recorders register the two.

    The cameras share their centre, so that each depth pixel's ray meets one colour pixel, the nearest of
    which is taken; black where colour does not reach.
    """
    source, target = recording.color_camera, recording.depth_camera
    uv, _ = source.project(target.rays())
    inside = source.inside(uv)
    column, row = np.floor(uv[inside] + 0.5).astype(np.intp).T
    color = np.zeros((len(recording.color), target.height, target.width, 3), np.uint8)
    color[:, inside] = recording.color[:, row, column]
    return replace(recording, color=color, color_camera=target)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
