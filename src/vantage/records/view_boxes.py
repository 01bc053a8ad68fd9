"""Upright boxes as one view sees them: centre in the camera's frame, sizes and angle level with the floor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from vantage.core.errors import ContractError
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import (
    R_FLU_RDF,
    Matrix4,
    apply,
    compose,
    from_yaw,
    invert,
    level_ego,
    wrap,
    yaw_of,
)

LEVEL_CAMERA: Final[Matrix4] = compose(R_FLU_RDF, np.zeros(3))
"""`T_frame_cam` of a camera of unknown pose, taken as level: x ahead, y left, z up, from the camera."""

_UPRIGHT = 1e-4  # one minus the cosine of the tilt: 0.8 degrees


@dataclass(frozen=True)
class ViewBox:
    """A box that stands upright, as a view sees it.

    Attributes:
        box_id: its number in the text it is written to.
        label: class name.
        center: metres, in the view's `camera` frame (x right, y down, z forward).
        size: width, height, length, metres: of a box of angle 0 to the right, up, and ahead of the camera.
        angle: radians about the up axis, counter-clockwise seen from above, from where the camera faces.
    """

    box_id: int
    label: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    angle: float

    @classmethod
    def of(cls, box_id: int, label: str, box: OrientedBox, T_frame_cam: Float[np.ndarray, "4 4"]) -> ViewBox:
        """An upright box of a frame whose z is up, for the camera at `T_frame_cam`; its angle is canonical.

        `ContractError` for a box none of whose axes is vertical within 0.8 degrees.
        """
        up = int(np.argmax(np.abs(box.rotation[2])))
        if abs(float(box.rotation[2, up])) < 1 - _UPRIGHT:
            raise ContractError(
                "a tilted box cannot be written as an upright one", where=f"box {box_id} ({label})",
                expected="one vertical axis", found=f"axes with z {box.rotation[2].round(4).tolist()}",
            )  # fmt: skip
        ahead, across = (axis for axis in range(3) if axis != up)
        x, y, z = apply(invert(T_frame_cam), box.center).tolist()
        width, height, length = (float(box.size[axis]) for axis in (across, up, ahead))
        yaw = math.atan2(float(box.rotation[1, ahead]), float(box.rotation[0, ahead]))
        turned = cls(box_id, label, (x, y, z), (width, height, length), yaw - _heading(T_frame_cam))
        return turned.canonical()

    def canonical(self) -> ViewBox:
        """The same box with its angle in [-pi/4, pi/4): width and length change places on a quarter turn."""
        quarters = math.floor(self.angle / (math.pi / 2) + 0.5)
        width, height, length = self.size
        size = (length, height, width) if quarters % 2 else self.size
        return replace(self, size=size, angle=self.angle - quarters * (math.pi / 2))

    def placed(self, T_frame_cam: Float[np.ndarray, "4 4"]) -> OrientedBox:
        """The box in a frame whose z is up, metres; its own axes are length, width and height."""
        center = apply(T_frame_cam, np.array(self.center, dtype=np.float64))
        width, height, length = self.size
        yaw = wrap(self.angle + _heading(T_frame_cam))
        return OrientedBox(center, np.array([length, width, height], dtype=np.float64), from_yaw(yaw)[:3, :3])


def _heading(T_frame_cam: Float[np.ndarray, "4 4"]) -> float:
    """Where the camera faces seen from above, radians."""
    return yaw_of(level_ego(T_frame_cam))
