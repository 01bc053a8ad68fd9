"""The view that boxes are written in, and the numbers of a box that reasoning may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import is_rigid
from vantage.records.view_boxes import LEVEL_CAMERA, ViewBox

DECIMALS: Final = 2
"""Of the numbers of boxes and steps, as in N3D-VLM's text: centimetres."""


@dataclass(frozen=True, eq=False)
class EgoView:
    """The ego's picture: where boxes are written, and the frame that reasoning works in.

    Attributes:
        camera: of the picture.
        T_frame_cam: its pose in `frame`, whose z is up; metres.
        frame: `ego_level`; `ego_camera` for a camera of unknown pose that is taken as level.
    """

    camera: Pinhole
    T_frame_cam: Float64[np.ndarray, "4 4"]
    frame: Frame = "ego_level"

    def __post_init__(self) -> None:
        if not is_rigid(self.T_frame_cam):
            raise ContractError(
                "the pose of the ego's camera is not rigid", expected="a finite rotation and translation",
                found=self.T_frame_cam.tolist(),
            )  # fmt: skip

    @classmethod
    def level(cls, camera: Pinhole) -> EgoView:
        """Of a camera whose pose is not known: taken as level, the origin at the camera."""
        return cls(camera, LEVEL_CAMERA, "ego_camera")


@dataclass(frozen=True, eq=False)
class Located:
    """A box that was located.

    Attributes:
        view_box: as the view sees it.
        box: in the view's frame, metres.
        values: by field, rounded as they are written: centre x, y, z (m; x ahead, y left, z up), width,
            length and height w, l, h (m), angle (radians), and the centre's place u, v in the picture.
    """

    view_box: ViewBox
    box: OrientedBox
    values: Mapping[str, float]

    @classmethod
    def of(cls, view_box: ViewBox, view: EgoView) -> Located:
        """The box in the view's frame, with its numbers."""
        box = view_box.placed(view.T_frame_cam)
        width, height, length = view_box.size
        numbers = (*box.center.tolist(), width, length, height, view_box.angle)
        numbers += shares(view_box, view.camera)
        return cls(view_box, box, dict(zip(FIELDS, map(rounded, numbers), strict=True)))

    @property
    def name(self) -> str:
        """What steps call it."""
        return f"bbox_{self.view_box.box_id}"

    def said(self, field: str) -> str:
        """A number as it is written."""
        return f"{self.values[field]:.{DECIMALS}f}"


FIELDS: Final = ("x", "y", "z", "w", "l", "h", "angle", "u", "v")


def shares(box: ViewBox, camera: Pinhole) -> tuple[float, float]:
    """Where the box's centre lies in the picture, shares of width and height from the upper left corner."""
    uv: Float[np.ndarray, "2"] = camera.project(np.array(box.center, dtype=np.float64))[0]
    return (float(uv[0]) + 0.5) / camera.width, (float(uv[1]) + 0.5) / camera.height


def rounded(value: float) -> float:
    """As numbers of boxes are written; never -0.0."""
    return round(value, DECIMALS) + 0.0
