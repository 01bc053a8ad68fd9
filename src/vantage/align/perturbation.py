"""Poses moved and turned at random, with the mean and the spread that were asked for.

The published perturbation moves a pose by -std on average, with twice the spread asked for, and draws its yaw
evenly up to what it calls the standard deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from vantage.align.ego import EgoPose
from vantage.core.errors import ParameterError
from vantage.core.seeds import rng
from vantage.geometry.transforms import apply, compose


@dataclass(frozen=True)
class Perturbation:
    """How poses are perturbed; every number is normally distributed and independent of the others.

    Attributes:
        position_std_m: along each axis of the ego; `ego_level` stays on the floor.
        yaw_std_deg: about the vertical through the ego, as `EgoPose.turned` has it.
        tilt_std_deg: pitch and roll, each; 0 for `ego_level`, which has none.
        position_mean_m: ahead, left, up, in the ego's own axes.
        yaw_mean_deg: counter-clockwise seen from above.
    """

    position_std_m: float = 0.0
    yaw_std_deg: float = 0.0
    tilt_std_deg: float = 0.0
    position_mean_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_mean_deg: float = 0.0

    def __post_init__(self) -> None:
        for key in ("position_std_m", "yaw_std_deg", "tilt_std_deg", "position_mean_m", "yaw_mean_deg"):
            value = np.asarray(getattr(self, key))
            if not np.isfinite(value).all() or ("std" in key and value < 0):
                raise ParameterError(
                    "a perturbation that nothing can be drawn from", where=key,
                    expected="finite numbers, no spread below 0", found=getattr(self, key),
                )  # fmt: skip

    def require_fits(self, frame: str) -> None:
        """Raise `ParameterError` for a tilt or a mean height of `ego_level`."""
        tilted, raised = self.tilt_std_deg > 0, self.position_mean_m[2] != 0
        if frame == "ego_level" and (tilted or raised):
            raise ParameterError(
                "an ego_level pose has no pitch, roll or height to perturb",
                where="tilt_std_deg" if tilted else "position_mean_m",
                expected="tilt_std_deg 0 and a mean height of 0",
                found=self,
                hint="perturb the ego_camera pose",
            )

    def draw(self, frame: str, generator: np.random.Generator) -> Shift:
        """A shift for a pose of an ego frame, which must fit (`require_fits`)."""
        self.require_fits(frame)
        level = frame == "ego_level"
        offset = np.asarray(self.position_mean_m) + self.position_std_m * generator.standard_normal(3)
        yaw, pitch, roll = np.radians((self.yaw_std_deg, self.tilt_std_deg, self.tilt_std_deg)) * (
            generator.standard_normal(3)
        )
        if level:
            offset[2] = 0.0
        return Shift(offset, math.radians(self.yaw_mean_deg) + float(yaw), float(pitch), float(roll))


@dataclass(frozen=True, eq=False)
class Shift:
    """One perturbation as drawn.

    Attributes:
        offset: ahead, left, up (m), in the axes of the ego before it is turned.
        yaw, pitch, roll: radians; yaw about the vertical, pitch (down) and roll about the ego's y and x axes.
    """

    offset: Float64[np.ndarray, "3"]
    yaw: float
    pitch: float = 0.0
    roll: float = 0.0

    def applied(self, ego: EgoPose) -> EgoPose:
        """The pose after the shift."""
        R = ego.turned(self.yaw).T_world_ego[:3, :3] @ self._tilt()
        return EgoPose(compose(R, apply(ego.T_world_ego, self.offset)), ego.world, ego.frame)

    def undone(self, ego: EgoPose) -> EgoPose:
        """The inverse of `applied`: the pose before the shift."""
        R = ego.turned(-self.yaw).T_world_ego[:3, :3] @ self._tilt().T
        return EgoPose(compose(R, ego.T_world_ego[:3, 3] - R @ self.offset), ego.world, ego.frame)

    def _tilt(self) -> Float64[np.ndarray, "3 3"]:
        (sp, cp), (sr, cr) = ((math.sin(a), math.cos(a)) for a in (self.pitch, self.roll))
        about_y = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
        about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
        return np.asarray(about_y @ about_x)


def perturbed(ego: EgoPose, perturbation: Perturbation, seed: int, *keys: str | int) -> EgoPose:
    """The pose, perturbed as the seed and the keys (a scan, a question) say and nothing else."""
    return perturbation.draw(ego.frame, rng(seed, "perturb", *keys)).applied(ego)
