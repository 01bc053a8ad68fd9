"""Poses that annotations state: the situation of an SQA3D question, the view of a ScanRefer describer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError
from vantage.geometry.transforms import compose, from_yaw
from vantage.recover.choice import PoseChoice

Origin = Literal["aligned_centred", "raw_midpoint"]
"""What an SQA3D position is relative to; the publications disagree.

- `aligned_centred`: the middle of the aligned mesh's box, aligned axes. Fits the scans that were measured.
- `raw_midpoint`: the middle of the raw mesh's box, raw axes, then the axis alignment (the authors' loader).

They agree where the alignment turns the scan by little.
"""


def situation_pose(
    row: Mapping[str, Any],
    coord_raw: Float[np.ndarray, "n 3"],
    T_aligned_raw: Float64[np.ndarray, "4 4"],
    origin: Origin = "aligned_centred",
    where: str = "SQA3D annotation",
) -> PoseChoice:
    """The annotated standpoint of a question, `ego_level` in the aligned world (floor at z = 0).

    `row` has `position` {x, y, z} and `rotation` {_x, _y, _z, _w}, read by name, for files order
    them differently. The person faces the local -x axis. `coord_raw` are the mesh's vertices in the raw
    world, metres.

    Raises ContractError for missing or useless numbers, and for a rotation about anything but the vertical.
    """
    x, y, _ = _numbers(row, "position", ("x", "y", "z"), where)
    qx, qy, qz, qw = _numbers(row, "rotation", ("_x", "_y", "_z", "_w"), where)
    norm = math.hypot(qx, qy, qz, qw)
    if norm < 1e-6 or math.hypot(qx, qy) > 0.01 * norm:
        expected = "a unit quaternion about the vertical axis"
        raise ContractError("not a heading", where=where, expected=expected, found=dict(row["rotation"]))
    heading = 2 * math.atan2(qz, qw) + math.pi
    raw = np.asarray(coord_raw, dtype=np.float64)
    R, t = T_aligned_raw[:3, :3], T_aligned_raw[:3, 3]
    if origin == "aligned_centred":
        position = np.array([x, y]) + _middle(raw @ R.T + t)[:2]
    else:
        middle = _middle(raw)
        position = (R @ (np.array([x, y, 0.0]) + middle * (1, 1, 0)) + t)[:2]
        heading += math.atan2(R[1, 0], R[0, 0])
    T_aligned_ego = from_yaw(heading, (float(position[0]), float(position[1]), 0.0))
    return PoseChoice("situation", None, T_aligned_ego, "aligned", "ego_level")


def describer_pose(row: Mapping[str, Any], where: str = "ScanRefer annotation") -> PoseChoice:
    """The camera that a ScanRefer describer looked through, in the raw world, upright.

    `row` has `camera` with `position` and `lookat`, three numbers each (m). The describer had the target in
    view, so the pose tells where it is: it counts as using the target.

    Raises ContractError for missing numbers, or a camera that looks at itself or straight up or down.
    """
    camera = row.get("camera")
    if not isinstance(camera, Mapping):
        raise ContractError(
            "no viewpoint", where=where, expected="camera: position, lookat", found=sorted(row)
        )
    position, target = (np.array(_triple(camera, name, where)) for name in ("position", "lookat"))
    forward = target - position
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) < 1e-6 * max(float(np.linalg.norm(forward)), 1e-9):
        raise ContractError(
            "not a viewpoint", where=where, expected="a level-ish look", found=forward.tolist()
        )
    forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward], axis=1)
    return PoseChoice("describer", None, compose(R, position), "raw", "camera", uses_target=True)


def _middle(coord: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3"]:
    middle: np.ndarray = (coord.min(axis=0) + coord.max(axis=0)) / 2
    return middle


def _numbers(row: Mapping[str, Any], key: str, names: tuple[str, ...], where: str) -> list[float]:
    values = row.get(key)
    found = [values.get(name) for name in names] if isinstance(values, Mapping) else [values]
    return _finite(found, len(names), f"{where}, {key}", names)


def _triple(row: Mapping[str, Any], key: str, where: str) -> list[float]:
    values = row.get(key)
    return _finite(
        list(values) if isinstance(values, list | tuple) else [values], 3, f"{where}, {key}", "xyz"
    )


def _finite(found: list[Any], count: int, where: str, expected: object) -> list[float]:
    numbers = [
        v for v in found if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    ]
    if len(found) != count or len(numbers) != count:
        raise ContractError("not a place or direction", where=where, expected=expected, found=found)
    return [float(v) for v in numbers]
