"""The ways to read stored poses that are tried, and what each says of a pair of frames.

Each hypothesis turns the motion from one camera to another: `opengl`, `left_up` and `mirrored` conjugate it
by a diagonal matrix, `world_to_camera` takes S_j S_i^-1 for S_j^-1 S_i. Two hypotheses that say the same of
every pair are equivalent on this data: they rebuild the same scene up to a rigid motion of the world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from vantage.geometry.transforms import Matrix4, invert
from vantage.scans.conventions import CAMERA_AXES, POSE_DIRECTIONS, CameraAxes, Convention, PoseDirection

#: Depth units per metre that recorders use: millimetres, TUM, Replica, and less frequent ones.
KNOWN_UNITS = (1000.0, 5000.0, 6553.5, 4000.0, 10000.0, 256.0, 100.0, 1.0)


@dataclass(frozen=True)
class Hypothesis:
    """A way to read stored poses."""

    poses: PoseDirection
    camera_axes: CameraAxes

    def __str__(self) -> str:
        return f"{self.poses}, {self.camera_axes}"

    def T_j_i(self, stored_i: Float[np.ndarray, "4 4"], stored_j: Float[np.ndarray, "4 4"]) -> Matrix4:
        """Camera i to camera j (x right, y down, z forward), metres, of two stored rigid poses."""
        convention = Convention(self.poses, self.camera_axes)
        return np.asarray(invert(convention.T_world_cam(stored_j)) @ convention.T_world_cam(stored_i))

    def applied_to(self, convention: Convention) -> Convention:
        """The convention with these poses and axes."""
        return replace(convention, poses=self.poses, camera_axes=self.camera_axes)


HYPOTHESES = tuple(Hypothesis(poses, axes) for poses in POSE_DIRECTIONS for axes in CAMERA_AXES)


def hypothesis_of(convention: Convention) -> Hypothesis:
    """What a convention says of poses."""
    return Hypothesis(convention.poses, convention.camera_axes)
