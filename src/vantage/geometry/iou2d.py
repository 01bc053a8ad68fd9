"""What a 3D box covers in an image, also when part of it is behind the camera, and 2D IoU.

What is nearer than `near_m` (along the optical axis), or behind the camera, is cut off in 3D, before the
projection: projecting only the corners that remain would lose the part of every cut edge that is in view.
Rectangles are (u low, v low, u high, v high) in pixels, integers at pixel centres, so that an image reaches
from -0.5 to size - 0.5.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.boxes import OrientedBox, convex_hull_xy
from vantage.geometry.camera import Pinhole

NEAR_M = 0.01

_EDGES = np.array([(i, j) for i in range(8) for j in range(i + 1, 8) if (i ^ j) in (1, 2, 4)])


def projected_hull(
    box_cam: OrientedBox, camera: Pinhole, near_m: float = NEAR_M, in_image: bool = False
) -> Float64[np.ndarray, "h 2"]:
    """The convex outline (px, turning from u to v) of a box in the camera's frame.

    Exact: the corners beyond `near_m` and the points where edges meet that plane, projected. No rows when the
    whole box is nearer or behind. With `in_image` the outline is cut to the image, and there are no rows
    either when nothing of it is there.

    Raises:
        ParameterError: `near_m` is not positive.
        ContractError: the box is not finite.
    """
    if not near_m > 0:
        raise ParameterError("no image of what is at the camera", expected="near_m > 0", found=near_m)
    corners = box_cam.corners()
    if not np.isfinite(corners).all():
        raise ContractError("a box that is not finite has no outline", found=corners.tolist())
    z = corners[:, 2]
    crossing = _EDGES[(z[_EDGES[:, 0]] >= near_m) != (z[_EDGES[:, 1]] >= near_m)]
    p, q = corners[crossing[:, 0]], corners[crossing[:, 1]]
    share = (near_m - p[:, 2]) / (q[:, 2] - p[:, 2])
    on_plane = p + share[:, None] * (q - p)
    on_plane[:, 2] = near_m
    uv, _ = camera.project(np.concatenate([corners[z >= near_m], on_plane]))
    hull = convex_hull_xy(uv)
    return _in_rectangle(hull, image_rectangle(camera)) if in_image else hull


def image_rectangle(camera: Pinhole) -> Float64[np.ndarray, "4"]:
    """The image's own rectangle."""
    return np.array([-0.5, -0.5, camera.width - 0.5, camera.height - 0.5])


def bounding_rectangle(hull: Float[np.ndarray, "h 2"]) -> Float64[np.ndarray, "4"] | None:
    """The smallest rectangle around an outline; None without one."""
    if len(hull) == 0:
        return None
    return np.concatenate([hull.min(axis=0), hull.max(axis=0)]).astype(np.float64)


def truncated_rectangle(
    rectangle: Float[np.ndarray, "4"] | None, camera: Pinhole
) -> Float64[np.ndarray, "4"] | None:
    """A rectangle cut to the image (Omni3D's `bbox2D_trunc` of its `bbox2D_proj`); None outside of it.

    It can be larger than the rectangle around the outline in the image, whose widest part may be outside.
    """
    if rectangle is None:
        return None
    image = image_rectangle(camera)
    low, high = np.maximum(rectangle[:2], image[:2]), np.minimum(rectangle[2:], image[2:])
    return None if (high <= low).any() else np.concatenate([low, high]).astype(np.float64)


def rectangle_iou(a: Float[np.ndarray, "4"] | None, b: Float[np.ndarray, "4"] | None) -> float:
    """IoU of two rectangles; 0 where one is missing or both have no area."""
    if a is None or b is None:
        return 0.0
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0, None).prod()
    return _ratio(float(shared), float((a[2:] - a[:2]).prod()), float((b[2:] - b[:2]).prod()))


def hull_iou(a: Float[np.ndarray, "h 2"], b: Float[np.ndarray, "k 2"]) -> float:
    """IoU of two convex outlines; 0 where one is missing or both have no area."""
    area_a, area_b = polygon_area(a), polygon_area(b)
    if area_a <= 0 or area_b <= 0:
        return 0.0
    shared = np.asarray(a, dtype=np.float64)
    for start, end in zip(b, np.roll(b, -1, axis=0), strict=True):
        edge = end - start
        normal = np.array([edge[1], -edge[0]])  # outward
        shared = _cut(shared, normal, float(normal @ start))
    return _ratio(min(polygon_area(shared), area_a, area_b), area_a, area_b)


def polygon_area(polygon: Float[np.ndarray, "h 2"]) -> float:
    """Area (square pixels) of a polygon that turns from u to v."""
    if len(polygon) < 3:
        return 0.0
    p = polygon - polygon[0]
    q = np.roll(p, -1, axis=0)
    return float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / 2)


def _ratio(shared: float, area_a: float, area_b: float) -> float:
    union = area_a + area_b - shared
    return shared / union if union > 0 else 0.0


def _in_rectangle(
    polygon: Float64[np.ndarray, "h 2"], rectangle: Float64[np.ndarray, "4"]
) -> Float64[np.ndarray, "k 2"]:
    for axis in (0, 1):
        normal = np.eye(2)[axis]
        polygon = _cut(polygon, normal, float(rectangle[2 + axis]))
        polygon = _cut(polygon, -normal, -float(rectangle[axis]))
    return polygon


def _cut(
    polygon: Float64[np.ndarray, "h 2"], normal: Float64[np.ndarray, "2"], limit: float
) -> Float64[np.ndarray, "k 2"]:
    """The part of a convex polygon where `normal . p <= limit`."""
    if len(polygon) == 0:
        return polygon
    s = polygon @ normal - limit
    kept = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if s[i] <= 0:
            kept.append(polygon[i])
        if (s[i] <= 0) != (s[j] <= 0):
            kept.append(polygon[i] + s[i] / (s[i] - s[j]) * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 2)
