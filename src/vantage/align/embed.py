"""PoseAlign by embedding: the pose as numbers beside each visual token, and back.

Plain arrays in float32, finite whatever the input; the layers that embed them are the models'.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from vantage.align.ego import EgoPose
from vantage.align.transform import ego_in_world
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, invert

TOKEN_NUMBERS = 6
POSE_NUMBERS = 9

_DEGENERATE = 1e-3  # shorter axes point nowhere


def token_numbers(
    points: Float[np.ndarray, "*n 3"],
    frame: str,
    ego: EgoPose,
    camera: Pinhole,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
    published_corner: bool = False,
) -> Float32[np.ndarray, "*n 6"]:
    """What PoseAlign's projector is given for each token: x, y, z, u, v, visible.

    x, y, z (m) are the point in the ego's camera (x right, y down, z forward); u and v are shares of the
    image's width and height, -1 outside of it or behind; `visible` is 1 in the image, else 0 (occlusion does
    not count). A point that is not finite, or that float32 cannot hold, is zeros with u = v = -1.

    Args:
        points: metres, in the world `frame`.
        frame: that world's name.
        ego: an `ego_camera` pose.
        camera: the scan's own colour camera (the published code has one camera for all scans).
        T_aligned_raw: the axis alignment, when points and pose are of two worlds.
        published_corner: u/W as published, for intrinsics that count pixels from the image's corner, instead
            of (u + 0.5)/W for pixel centres.

    Raises:
        ContractError: an `ego_level` pose, or two worlds without `T_aligned_raw`.
    """
    T_world_cam = ego_in_world(ego, frame, T_aligned_raw).T_world_cam
    with np.errstate(all="ignore"):  # what overflows is not finite, and is set below
        p_cam = apply(invert(T_world_cam), points)
        known = np.asarray(np.isfinite(p_cam.astype(np.float32)).all(axis=-1, keepdims=True))
        p_cam = np.where(known, p_cam, 0.0)
        uv, _ = camera.project(p_cam)
        uv += 0.0 if published_corner else 0.5
    size = np.array([camera.width, camera.height], dtype=np.float64)
    # NaN, which is what lies behind the camera, is in no image.
    visible = np.asarray(((uv >= 0) & (uv < size)).all(axis=-1, keepdims=True))
    shares = np.where(visible, uv / size, -1.0)
    return np.concatenate([p_cam, shares, visible], axis=-1).astype(np.float32)


def blank_token_numbers(n: int) -> Float32[np.ndarray, "{n} 6"]:
    """The numbers of `n` tokens that stand for no point (location prompts): zeros, as published."""
    return np.zeros((n, TOKEN_NUMBERS), dtype=np.float32)


def pose_numbers(ego: EgoPose | None) -> Float32[np.ndarray, "9"]:
    """A pose as nine numbers: the axes ahead and left, then the place (m), in the pose's world.

    Two axes are continuous in the rotation, unlike angles and quaternions. Without a pose all are zero,
    which no pose gives.
    """
    if ego is None:
        return np.zeros(POSE_NUMBERS, dtype=np.float32)
    T = ego.T_world_ego
    return np.concatenate([T[:3, 0], T[:3, 1], T[:3, 3]]).astype(np.float32)


def pose_of_numbers(numbers: Float[np.ndarray, "9"], world: Frame, frame: Frame) -> EgoPose:
    """The inverse of `pose_numbers` for numbers that need not be exact: left is set square to ahead.

    `ContractError` where they name no pose: not finite, an axis of no length, or both axes along one line.
    """
    given = np.asarray(numbers, dtype=np.float64)
    ahead, left, place = given[:3], given[3:6], given[6:]
    length = float(np.linalg.norm(ahead))
    if np.isfinite(given).all() and length > _DEGENERATE:
        ahead = ahead / length
        left = left - (left @ ahead) * ahead
        across = float(np.linalg.norm(left))
        if across > _DEGENERATE:
            left = left / across
            return EgoPose(
                compose(np.stack([ahead, left, np.cross(ahead, left)], axis=1), place), world, frame
            )
    raise ContractError(
        "the numbers name no pose",
        expected="finite numbers, two axes that have lengths and differ",
        found=given.tolist(),
        hint="all zeros stand for no pose",
    )


def additive_numbers(
    points: Float[np.ndarray, "*n 3"],
    frame: str,
    ego: EgoPose | None,
    T_aligned_raw: Float[np.ndarray, "4 4"] | None = None,
) -> Float32[np.ndarray, "*n 12"]:
    """What the paper's formula, feature + MLP(encode(R, t, P)), encodes for each token: pose, then point (m).

    Both in the world `frame`; `ContractError` where they are of two worlds without `T_aligned_raw`. A point
    that is not finite is zeros.
    """
    pose = pose_numbers(None if ego is None else ego_in_world(ego, frame, T_aligned_raw))
    with np.errstate(over="ignore"):
        p = np.asarray(points).astype(np.float32)
    p = np.where(np.isfinite(p).all(axis=-1, keepdims=True), p, np.float32(0))
    return np.concatenate([np.broadcast_to(pose, (*p.shape[:-1], POSE_NUMBERS)), p], axis=-1)
