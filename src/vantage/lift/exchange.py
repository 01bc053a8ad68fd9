"""Lifted boxes in Omni3D's fields, for exchange."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.box_corners import corners_of, omni3d_dimensions
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.iou2d import bounding_rectangle, projected_hull, truncated_rectangle
from vantage.geometry.transforms import invert
from vantage.lift.detections import Detection
from vantage.lift.objects2d import LiftedBox

#: A box's axes with z up (columns: x, -z, y) as Omni3D has them: length along x, height along y, down.
_R_UP_OMNI = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_NONE = -1  # what Omni3D writes for "not available"


def annotation(
    number: int,
    detection: Detection,
    lifted: LiftedBox,
    camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
) -> dict[str, Any]:
    """Omni3D's annotation of a lifted detection in one view, metres, and our own fields as `vantage`.

    Camera x right, y down, z forward; corners in Omni3D's order; `dimensions` width, height, length. Boxes in
    the image: x0, y0, x1, y1. Without a 3D box `valid3D` is false and its fields are -1.
    """
    fields = _without(detection) if lifted.box is None else _with(lifted.box, detection, camera, T_world_cam)
    own: dict[str, Any] = {
        "confidence": lifted.confidence, "reason": lifted.reason, "thin_axes": list(lifted.thin_axes),
        "evidence": lifted.evidence.to_dict(),
    }  # fmt: skip
    if lifted.box is not None:
        own |= {
            "center_world": lifted.box.center.tolist(), "size": lifted.box.size.tolist(),
            "R_world_box": lifted.box.rotation.tolist(),
        }  # fmt: skip
    return {
        "id": number, "image_id": 0, "category_name": detection.label, "score": detection.score, **fields,
        "visibility": _NONE, "truncation": _NONE, "lidar_pts": _NONE, "depth_error": _NONE,
        "segmentation_pts": lifted.evidence.points, "vantage": own,
    }  # fmt: skip


def omni3d_axes(box: OrientedBox) -> OrientedBox:
    """The same box with the axes that Omni3D means: x along its length, y down its height, z its width."""
    return OrientedBox(box.center, box.size[[0, 2, 1]], box.rotation @ _R_UP_OMNI)


def _with(
    box: OrientedBox, detection: Detection, camera: Pinhole, T_world_cam: Float[np.ndarray, "4 4"]
) -> dict[str, Any]:
    in_camera = omni3d_axes(box).transformed(invert(T_world_cam))
    outline = bounding_rectangle(projected_hull(in_camera, camera))
    corners = corners_of(OrientedBoxes.of([in_camera]), "omni3d")[0]
    return {
        "valid3D": True,
        "behind_camera": bool((corners[:, 2] <= 0).all()),
        "bbox2D_tight": _tight(detection),
        "bbox2D_proj": _rectangle(outline),
        "bbox2D_trunc": _rectangle(truncated_rectangle(outline, camera)),
        "center_cam": in_camera.center.tolist(),
        "dimensions": omni3d_dimensions(in_camera.size).tolist(),
        "R_cam": in_camera.rotation.tolist(),
        "bbox3D_cam": corners.tolist(),
    }


def _without(detection: Detection) -> dict[str, Any]:
    return {
        "valid3D": False, "behind_camera": False, "bbox2D_tight": _tight(detection),
        "bbox2D_proj": [_NONE] * 4, "bbox2D_trunc": [_NONE] * 4, "center_cam": [_NONE] * 3,
        "dimensions": [_NONE] * 3, "R_cam": [[_NONE] * 3] * 3, "bbox3D_cam": [[_NONE] * 3] * 8,
    }  # fmt: skip


def _tight(detection: Detection) -> list[float]:
    return [float(edge) for edge in detection.region.box]


def _rectangle(rectangle: Float64[np.ndarray, "4"] | None) -> list[float]:
    return [float(_NONE)] * 4 if rectangle is None else rectangle.tolist()
