"""The `<scan>.txt` beside a ScanNet scan: sizes, intrinsics, axis alignment, as `key = value` lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import is_rigid

_MAX_BYTES = 1 << 20


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
    """The file's keys and values as texts; a line without `=`, or a key with two values, is an error."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ScanError(f"cannot open the scan's text file: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        expected = "lines of key = value in UTF-8"
        raise ScanError("not a text file", where=path.name, expected=expected, found=error) from error
    if len(data) > _MAX_BYTES:
        raise ScanError("not a scan's text file", where=path.name, expected=f"at most {_MAX_BYTES} bytes")
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or values.setdefault(key, value) != value:
            expected = "key = value" if not equals else f"one value for {key[:40]}"
            where = f"{path.name}, line {number}"
            raise ScanError("bad scan text file", where=where, expected=expected, found=repr(line[:60]))
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
    # Beyond a thousand kilometres the test of a rotation overflows.
    if numbers.size != 16 or not (np.abs(numbers) < 1e6).all() or not is_rigid(numbers.reshape(4, 4)):
        expected = "16 numbers that make a rigid transform"
        hint = "Remove the line if the scan has no alignment: its world is then taken as aligned."
        raise ScanError("bad axis alignment", where=where, expected=expected, found=text[:80], hint=hint)
    return numbers.reshape(4, 4)


def _numbers(T: Float[np.ndarray, "4 4"]) -> str:
    return " ".join(f"{value:.6f}" for value in np.asarray(T, dtype=np.float64).ravel().tolist())
