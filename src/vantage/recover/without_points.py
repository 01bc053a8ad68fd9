"""Scores for data that has only boxes or only centres (the paper's box and point scores)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64

from vantage.core.seeds import rng
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert


def box_scores(
    center: Float[np.ndarray, "o 3"],
    size: Float[np.ndarray, "o 3"],
    rotation: Float[np.ndarray, "o 3 3"],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[Pinhole],
    near_m: float,
    far_m: float,
    samples: int,
    seed: int,
) -> Float32[np.ndarray, "p o"]:
    """Share of random points of each box in the picture, z in [near_m, far_m]; nothing hides anything.

    `center` and `size` (m, along the box's axes, the columns of `rotation`) are in the world of `poses`
    (camera to world). All boxes share one draw of `samples` points, so that a score depends on the box alone.
    """
    unit = rng(seed, "box samples").uniform(-0.5, 0.5, (samples, 3))
    points = np.einsum("oij,osj->osi", rotation, unit * np.asarray(size)[:, None]) + center[:, None]
    scores = np.zeros((len(poses), len(center)), dtype=np.float32)
    for row, (T_world_cam, camera) in enumerate(zip(poses, cameras, strict=True)):
        uv, z = camera.project(apply(invert(T_world_cam), points))
        scores[row] = (camera.inside(uv) & (z >= near_m) & (z <= far_m)).mean(axis=1)
    return scores


def point_scores(
    center: Float[np.ndarray, "o 3"],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[Pinhole],
    near_m: float,
    far_m: float,
) -> Float32[np.ndarray, "p o"]:
    """How central each point is: 1 in the middle of the picture, falling linearly to 0 at its corners.

    That is one less the distance (pixels) to the image's centre over half its diagonal: larger is better, as
    for all scores. 0 outside the picture or [near_m, far_m]. `center` (m) is in the world of `poses`.
    """
    scores = np.zeros((len(poses), len(center)), dtype=np.float32)
    for row, (T_world_cam, camera) in enumerate(zip(poses, cameras, strict=True)):
        uv, z = camera.project(apply(invert(T_world_cam), center))
        middle = np.array([(camera.width - 1) / 2, (camera.height - 1) / 2])
        away = np.linalg.norm(uv - middle, axis=1) / (np.hypot(camera.width, camera.height) / 2)
        inside = camera.inside(uv) & (z >= near_m) & (z <= far_m)
        scores[row, inside] = 1 - away[inside]
    return scores
