"""One pose, and what a way of telling it does to points, cameras, places and text of a world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from vantage.align.config import AlignConfig
from vantage.align.ego import WORLDS, EgoPose
from vantage.align.embed import POSE_NUMBERS, additive_numbers, token_numbers
from vantage.align.perturbation import Perturbation, perturbed
from vantage.align.prompt import with_pose
from vantage.align.transform import ego_in_world
from vantage.core.errors import ContractError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import Matrix4, apply, from_yaw, invert, is_rigid, yaw_of


@dataclass(frozen=True, eq=False)
class Pose:
    """The pose that a question is asked from, in a scan.

    Attributes:
        ego: of either world; `ego_camera` serves both ego frames, `ego_level` itself alone.
        key: names the question, or the sample of several, in messages; its perturbation is drawn by it.
        camera: the ego's; needed by `pose_view` alone.
        T_aligned_raw: the axis alignment, where coordinates or ego are of the raw world.
    """

    ego: EgoPose
    key: str
    camera: Pinhole | None = None
    T_aligned_raw: Float64[np.ndarray, "4 4"] | None = None

    def aligning(self, config: AlignConfig, world: str, seed: int, draw: int = 0) -> Alignment:
        """What `config` does to coordinates of `world`.

        Raises:
            ContractError: a world that is neither aligned nor raw with its alignment, an alignment that is
                not rigid (or mirrors), or an `ego_camera` asked of an `ego_level` pose.
        """
        T_aligned_world = self._to_aligned(world)
        ego = self.ego
        if config.mode != "none":
            ego = ego_in_world(ego, "aligned", self.T_aligned_raw).seen_as(config.frame)
        if config.perturbation != Perturbation():
            ego = perturbed(ego, config.perturbation, seed, self.key, draw)
        return Alignment(config, ego, T_aligned_world, self.camera)

    def _to_aligned(self, world: str) -> Matrix4:
        T, where = self.T_aligned_raw, self.key
        if world not in WORLDS or (world == "raw" and T is None):
            raise ContractError(
                "coordinates that are not of a world in which poses are aligned", where=where,
                expected="aligned coordinates, or raw ones with T_aligned_raw", found=world,
                hint="open samples in the aligned world, align them once; T_aligned_raw: the axis alignment",
            )  # fmt: skip
        if T is not None and not is_rigid(T):
            raise ContractError(
                "the axis alignment is not a rigid transform", where=where,
                expected="a finite 4x4 matrix with a right-handed rotation", found=T.tolist(),
            )  # fmt: skip
        return np.eye(4) if world == "aligned" or T is None else T


@dataclass(frozen=True, eq=False)
class Alignment:
    """What a way of telling a pose does to what is in a world.

    Attributes:
        config: the way.
        ego: in the aligned world and the configured ego frame, perturbed; as it was under `none`.
        T_aligned_world: from the world that is given.
        camera: the ego's.
    """

    config: AlignConfig
    ego: EgoPose
    T_aligned_world: Matrix4
    camera: Pinhole | None = None

    @property
    def T_frame_world(self) -> Matrix4:
        """From the world that is given to the frame that coordinates end in, `config.sample_frame`."""
        if self.config.mode == "transform":
            return np.asarray(invert(self.ego.T_world_ego) @ self.T_aligned_world)
        return self.T_aligned_world

    def points(self, points: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
        """Points (m) of the world in the frame that they end in."""
        return apply(self.T_frame_world, points)

    def beside(self, points: Float[np.ndarray, "*n 3"]) -> Float32[np.ndarray, "*n k"] | None:
        """The numbers beside points (m, of the world) under `embed`.

        `ContractError` where `pose_view` is asked for without the ego's camera.
        """
        if self.config.mode != "embed":
            return None
        p_aligned = apply(self.T_aligned_world, points)
        if self.config.numbers == "pose_point":
            return additive_numbers(p_aligned, "aligned", self.ego)[..., :POSE_NUMBERS]
        if self.camera is None:
            raise ContractError(
                "what the ego's camera sees needs that camera", where="numbers pose_view",
                expected="intrinsics and size of the ego's picture", found="none",
                hint="give the pose its camera, or embed pose_point",
            )  # fmt: skip
        return token_numbers(p_aligned, "aligned", self.ego, self.camera)

    def place(self, x: float, y: float, yaw: float) -> tuple[float, float, float] | None:
        """The asker's place and heading (m, radians), seen from above, in the aligned world.

        None under `transform`: there the frame is the asker's own.
        """
        if self.config.mode == "transform":
            return None
        T = self.T_aligned_world @ from_yaw(yaw, (x, y, 0.0))
        return float(T[0, 3]), float(T[1, 3]), yaw_of(T)

    def question(self, text: str) -> str:
        """The question, with the pose before it under `prompt`."""
        return with_pose(text, self.ego) if self.config.mode == "prompt" else text
