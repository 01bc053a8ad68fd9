"""Ego poses that carry the names of their frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError
from vantage.core.frames import Frame, require_frame
from vantage.core.seeds import rng
from vantage.geometry.transforms import (
    R_FLU_RDF,
    apply,
    camera_ego,
    compose,
    from_yaw,
    invert,
    is_rigid,
    level_ego,
    yaw_of,
)

WORLDS: tuple[Frame, ...] = ("raw", "aligned")
EGO_FRAMES: tuple[Frame, ...] = ("ego_level", "ego_camera")

_LEVEL = 1e-6  # metres, and one minus the cosine of a tilt


@dataclass(frozen=True, eq=False)
class EgoPose:
    """Where somebody stands and looks.

    Attributes:
        T_world_ego: maps ego coordinates (x forward, y left, z up; metres) to the world.
        world: the world's name, `raw` or `aligned`.
        frame: the ego frame's name, `ego_level` or `ego_camera`.
    """

    T_world_ego: Float64[np.ndarray, "4 4"]
    world: Frame
    frame: Frame

    def __post_init__(self) -> None:
        if self.world not in WORLDS or self.frame not in EGO_FRAMES:
            raise ContractError(
                "an ego pose between frames that do not exist",
                expected=f"a world of {WORLDS} and a frame of {EGO_FRAMES}",
                found=f"{self.world!r} and {self.frame!r}",
            )
        _require_rigid(self.T_world_ego)
        if (self.world, self.frame) == ("aligned", "ego_level"):
            _require_level(self.T_world_ego)

    @property
    def T_world_cam(self) -> Float64[np.ndarray, "4 4"]:
        """The pose of the camera (x right, y down, z forward).

        `ContractError` for an `ego_level` pose, which has lost its camera's pitch, roll and height.
        """
        require_frame(self.frame, "ego_camera", "the camera of an ego pose")
        return compose(self.T_world_ego[:3, :3] @ R_FLU_RDF, self.T_world_ego[:3, 3])

    def seen_as(self, frame: Frame) -> EgoPose:
        """This pose, or the `ego_level` pose below an `ego_camera`.

        `ContractError` for the reverse, and for `ego_level` in the raw world.
        """
        return self if frame == self.frame else ego_of_camera(self.T_world_cam, self.world, frame)

    @property
    def yaw(self) -> float:
        """Heading (radians) of the ego's x axis in the world, seen from above."""
        return yaw_of(self.T_world_ego)

    def to_ego(
        self, points: Float[np.ndarray, "*n 3"], frame: str, where: object = None
    ) -> Float64[np.ndarray, "*n 3"]:
        """Points (m) of the world in this ego frame.

        `frame` names the frame of `points`; `ContractError`, naming `where`, unless it is this pose's world.
        """
        require_frame(frame, self.world, where)
        return apply(invert(self.T_world_ego), points)

    def to_world(
        self, points: Float[np.ndarray, "*n 3"], frame: str, where: object = None
    ) -> Float64[np.ndarray, "*n 3"]:
        """Points (m) of this ego frame in the world; `ContractError` unless `frame` is this pose's frame."""
        require_frame(frame, self.frame, where)
        return apply(self.T_world_ego, points)

    def turned(self, yaw: float) -> EgoPose:
        """The same place, turned by `yaw` (radians) about the vertical through it: the world's z axis.

        The raw world's z need not be up; there an `ego_level` pose turns about its own.
        """
        if (self.world, self.frame) == ("raw", "ego_level"):
            return EgoPose(self.T_world_ego @ from_yaw(yaw), self.world, self.frame)
        T = from_yaw(yaw) @ self.T_world_ego
        T[:3, 3] = self.T_world_ego[:3, 3]
        return EgoPose(T, self.world, self.frame)


def _require_rigid(T: Float[np.ndarray, "r c"]) -> None:
    if not is_rigid(T):
        raise ContractError(
            "the pose is not a rigid transform",
            expected="a finite 4x4 matrix with a right-handed rotation",
            found=np.asarray(T).tolist(),
            hint="lost-tracking frames have non-finite poses; choose the ego among the kept frames",
        )


def _require_level(T_aligned_ego: Float64[np.ndarray, "4 4"]) -> None:
    up, height = T_aligned_ego[:3, 2], float(T_aligned_ego[2, 3])
    if abs(up[2] - 1) > _LEVEL or abs(height) > _LEVEL:
        raise ContractError(
            "an ego_level pose has no pitch, roll or height in the aligned world",
            expected="its z axis up, its origin on the floor (z = 0)",
            found=f"its z axis along {up.round(6).tolist()}, its origin at z = {height:.6f} m",
            hint="make it with ego_of_camera, or name it ego_camera",
        )


def ego_of_camera(T_world_cam: Float[np.ndarray, "4 4"], world: Frame, frame: Frame) -> EgoPose:
    """The ego pose of a camera: `ego_camera` renames its axes, `ego_level` keeps its yaw, on the floor.

    `ContractError` for `ego_level` in the raw world, where up and the floor are not known, and for a pose
    that is not rigid.
    """
    _require_rigid(T_world_cam)
    if frame == "ego_level":
        require_frame(world, "aligned", "the world of an ego_level pose")
        return EgoPose(level_ego(T_world_cam), world, frame)
    return EgoPose(camera_ego(T_world_cam), world, frame)


def random_yaw(seed: int, *keys: str | int) -> float:
    """A heading (radians) uniform in [-pi, pi) that depends on the seed and the keys only.

    The random-yaw control turns an ego by it: a model that gains as much from that as from the true pose has
    not used the pose.
    """
    return float(rng(seed, "random_yaw", *keys).uniform(-np.pi, np.pi))
