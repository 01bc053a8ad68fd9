"""The `<scan>.txt` beside a ScanNet scan: sizes, intrinsics, axis alignment, as `key = value` lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import is_rigid


def write_scan_txt(
    path: Path,
    color: Pinhole,
    depth: Pinhole,
    frames: int,
    *,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
    scene_type: str = "Unknown",
) -> None:
    """Write the keys of ScanNet's own files; `axisAlignment` only when given (test scans have none)."""
    eye = np.eye(4)
    lines: dict[str, str] = {} if T_aligned_raw is None else {"axisAlignment": _numbers(T_aligned_raw)}
    lines["colorHeight"] = str(color.height)
    lines["colorToDepthExtrinsics"] = _numbers(eye)
    lines["colorWidth"] = str(color.width)
    lines["depthHeight"] = str(depth.height)
    lines["depthWidth"] = str(depth.width)
    for name, pair in {
        "fx": (color.fx, depth.fx),
        "fy": (color.fy, depth.fy),
        "mx": (color.cx, depth.cx),
        "my": (color.cy, depth.cy),
    }.items():
        lines[f"{name}_color"], lines[f"{name}_depth"] = (f"{value:.6f}" for value in pair)
    lines["numColorFrames"] = lines["numDepthFrames"] = str(frames)
    lines["numIMUmeasurements"] = "0"
    lines["sceneType"] = scene_type
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()), encoding="utf-8")


def read_scan_txt(path: Path) -> dict[str, str]:
    """The file's keys and values as texts; lines without ` = ` are an error."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScanError(f"cannot open the scan's text file: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ScanError("not a text file", where=path.name, expected="lines of key = value") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals:
            where = f"{path.name}, line {number}"
            raise ScanError("bad scan text file", where=where, expected="key = value", found=repr(line[:60]))
        values[key.strip()] = value.strip()
    return values


def axis_alignment(values: Mapping[str, str], file: str) -> Float64[np.ndarray, "4 4"] | None:
    """`T_aligned_raw` of a scan, None where the file has none (as for ScanNet's test scans)."""
    if "axisAlignment" not in values:
        return None
    where, text = f"{file}, axisAlignment", values["axisAlignment"]
    try:
        numbers = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise ScanError("bad axis alignment", where=where, expected="16 numbers", found=text[:80]) from error
    if numbers.size != 16 or not is_rigid(numbers.reshape(4, 4)):
        expected = "16 numbers that make a rigid transform"
        raise ScanError("bad axis alignment", where=where, expected=expected, found=text[:80])
    return numbers.reshape(4, 4)


def _numbers(T: Float[np.ndarray, "4 4"]) -> str:
    return " ".join(f"{value:.6f}" for value in np.asarray(T, dtype=np.float64).ravel().tolist())
