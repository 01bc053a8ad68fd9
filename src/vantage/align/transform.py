"""PoseAlign by transform: the scene's coordinates in the ego's frame, and back.

A pose and coordinates of two worlds are brought together through `T_aligned_raw` where the caller gives it,
and refused where not: a pose of the raw world on aligned coordinates is off by the whole alignment, and looks
plausible.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from vantage.align.ego import WORLDS, EgoPose, ego_of_camera
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.transforms import Matrix4, invert, is_rigid
from vantage.scans.conventions import Convention


def ego_of_recorded(
    stored: Float[np.ndarray, "4 4"],
    convention: Convention,
    frame: Frame,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> EgoPose:
    """The ego pose of a recorded camera pose, whatever direction and camera axes it is stored with.

    Args:
        stored: the matrix as recorded, of the raw world.
        convention: what it means. With `mirrored` axes the world is mirrored too (its y turned round), so the
            scene's points have to be.
        frame: `ego_camera`, or `ego_level` with `T_aligned_raw`.
        T_aligned_raw: the axis alignment; with it the pose is in the aligned world, else in the raw one.

    Raises:
        ContractError: the pose is not finite or not rigid, or `ego_level` is asked for in the raw world.
    """
    T_raw_cam = convention.T_world_cam(stored)
    if T_aligned_raw is None:
        return ego_of_camera(T_raw_cam, "raw", frame)
    return ego_of_camera(_alignment(T_aligned_raw) @ T_raw_cam, "aligned", frame)


def ego_in_world(ego: EgoPose, world: str, T_aligned_raw: Float[np.ndarray, "4 4"] | None = None) -> EgoPose:
    """The same pose in the world `world`.

    `ContractError` when that is another world than the pose's and `T_aligned_raw` is not given, or no world.
    """
    if world == ego.world:
        return ego
    if world not in WORLDS or T_aligned_raw is None:
        raise ContractError(
            "a pose and coordinates of two worlds",
            expected=f"coordinates of the world {ego.world!r}, or T_aligned_raw beside them",
            found=f"coordinates in {world!r}",
            hint="T_aligned_raw is the scan's axis alignment (axisAlignment in ScanNet's scan text)",
        )
    T = _alignment(T_aligned_raw)
    if world == "aligned":
        return EgoPose(T @ ego.T_world_ego, "aligned", ego.frame)
    return EgoPose(invert(T) @ ego.T_world_ego, "raw", ego.frame)


def points_in_ego(
    points: Float[np.ndarray, "*n 3"],
    frame: str,
    ego: EgoPose,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> Float64[np.ndarray, "*n 3"]:
    """Points (m) of the world `frame` in the ego's frame; raises as `ego_in_world` does."""
    return ego_in_world(ego, frame, T_aligned_raw).to_ego(points, frame)


def points_in_world(
    points: Float[np.ndarray, "*n 3"],
    ego: EgoPose,
    world: str,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> Float64[np.ndarray, "*n 3"]:
    """The inverse of `points_in_ego`: points (m) of the ego's frame in `world`."""
    return ego_in_world(ego, world, T_aligned_raw).to_world(points, ego.frame)


def boxes_in_ego(
    boxes: OrientedBoxes,
    frame: str,
    ego: EgoPose,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> OrientedBoxes:
    """Boxes of the world `frame` in the ego's frame, turned with it, never boxed again."""
    return boxes.transformed(invert(ego_in_world(ego, frame, T_aligned_raw).T_world_ego))


def boxes_in_world(
    boxes: OrientedBoxes,
    ego: EgoPose,
    world: str,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> OrientedBoxes:
    """The inverse of `boxes_in_ego`."""
    return boxes.transformed(ego_in_world(ego, world, T_aligned_raw).T_world_ego)


def _alignment(T_aligned_raw: Float[np.ndarray, "4 4"]) -> Matrix4:
    if not is_rigid(T_aligned_raw):
        raise ContractError(
            "the axis alignment is not a rigid transform",
            where="T_aligned_raw",
            expected="a finite 4x4 matrix with a right-handed rotation",
            found=np.asarray(T_aligned_raw).tolist(),
        )
    return np.asarray(T_aligned_raw, dtype=np.float64)
