"""What a box covers in an image, against dense points of it, rays through all pixels, and known cases."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry import iou2d
from vantage.geometry.boxes import OrientedBox, convex_hull_xy
from vantage.geometry.camera import Pinhole

CAMERA = Pinhole(64, 48, 40.0, 42.0, 30.5, 25.0)
EYE = np.eye(3)
seeds = st.integers(0, 2**32 - 1)


def a_box(seed: int) -> OrientedBox:
    """A box in front of, around or behind the camera."""
    rng = np.random.default_rng(seed)
    center = rng.uniform([-1.5, -1.0, -1.5], [1.5, 1.0, 4.0])
    return OrientedBox(center, rng.uniform(0.2, 3.0, 3), Rotation.random(random_state=rng).as_matrix())


def dense(box: OrientedBox, near: float, n: int = 25) -> np.ndarray:
    """Points on a grid through the box, and where its lines cross the near plane; none nearer than it."""
    ticks = np.linspace(-0.5, 0.5, n)
    grid = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1) * box.size
    p = grid @ box.rotation.T + box.center
    crossing = []
    for axis in range(3):
        a, b = np.moveaxis(p, axis, 0)[0].reshape(-1, 3), np.moveaxis(p, axis, 0)[-1].reshape(-1, 3)
        cut = (a[:, 2] - near) * (b[:, 2] - near) < 0
        t = (near - a[cut, 2]) / (b[cut, 2] - a[cut, 2])
        crossing.append(a[cut] + t[:, None] * (b[cut] - a[cut]))
    p = p.reshape(-1, 3)
    return np.concatenate([p[p[:, 2] >= near], *crossing])


@given(seeds)
@settings(max_examples=60)
def test_the_outline_is_that_of_all_points_of_the_box(seed: int) -> None:
    near, box = 0.3, a_box(seed)
    hull = iou2d.projected_hull(box, CAMERA, near)
    points = dense(box, near)
    if len(points) == 0:
        assert len(hull) == 0
        return
    points[:, 2] = np.maximum(points[:, 2], near)
    uv = CAMERA.project(points)[0]
    expected = convex_hull_xy(uv)  # the grid has the corners and edges, so it reaches the outline itself
    assert iou2d.polygon_area(hull) == pytest.approx(iou2d.polygon_area(expected), rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(iou2d.bounding_rectangle(hull), [*uv.min(axis=0), *uv.max(axis=0)], atol=1e-6)


@given(seeds)
@settings(max_examples=60)
def test_in_the_image_the_outline_covers_the_pixels_whose_rays_meet_the_box(seed: int) -> None:
    box, near = a_box(seed), 0.05
    fine = CAMERA.resized(256, 192)
    rays = fine.rays().reshape(-1, 3)
    local, origin = rays @ box.rotation, -box.center @ box.rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(s * box.size / 2 - origin) / local for s in (-1, 1)])
    enter, leave = np.maximum(t.min(axis=0).max(axis=1), near), t.max(axis=0).min(axis=1)
    hit = enter <= leave
    hull = iou2d.projected_hull(box, fine, near, in_image=True)
    # Pixels of the outline's border are half in; a border is at most the image's own length.
    assert abs(iou2d.polygon_area(hull) - hit.sum()) < 256 + 192
    if hit.any():
        v, u = np.divmod(np.flatnonzero(hit), 256)
        found = iou2d.bounding_rectangle(hull)
        assert found is not None
        assert (found[:2] <= [u.min() + 1e-6, v.min() + 1e-6]).all()
        assert (found[2:] >= [u.max() - 1e-6, v.max() - 1e-6]).all()


def test_partly_behind_the_camera() -> None:
    floor_plank = OrientedBox(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.2, 8.0]), EYE)  # z from -4 to 4
    near = 0.1
    hull = iou2d.projected_hull(floor_plank, CAMERA, near)
    rectangle = iou2d.bounding_rectangle(hull)
    top = 42.0 * 0.9 / 4 + 25.0  # the upper face's far edge
    wide = 40.0 * 0.5 / near
    np.testing.assert_allclose(rectangle, [30.5 - wide, top, 30.5 + wide, 42.0 * 1.1 / near + 25.0])
    # In the image it is cut at the lower border; only its far corners and the cut edges are there.
    inside = iou2d.bounding_rectangle(iou2d.projected_hull(floor_plank, CAMERA, near, in_image=True))
    assert inside is not None
    depth = 42.0 * 0.9 / (47.5 - 25.0)  # where the upper edge crosses the lower border
    half = 40.0 * 0.5 / depth
    np.testing.assert_allclose(inside, [30.5 - half, top, 30.5 + half, 47.5])
    # Truncating the rectangle instead makes it wider: the widest part of the outline is below the image.
    np.testing.assert_allclose(iou2d.truncated_rectangle(rectangle, CAMERA), [-0.5, top, 63.5, 47.5])


@pytest.mark.parametrize("z", [-5.0, -0.5, -0.49])
def test_entirely_behind_there_is_nothing(z: float) -> None:
    behind = OrientedBox(np.array([0.0, 0.0, z]), np.array([1.0, 1.0, 0.98]), EYE)
    hull = iou2d.projected_hull(behind, CAMERA)
    assert hull.shape == (0, 2)
    assert iou2d.bounding_rectangle(hull) is None
    assert iou2d.truncated_rectangle(None, CAMERA) is None
    front = iou2d.projected_hull(OrientedBox(np.array([0.0, 0.0, 3.0]), np.ones(3), EYE), CAMERA)
    assert iou2d.hull_iou(hull, front) == iou2d.hull_iou(front, hull) == 0.0
    assert iou2d.rectangle_iou(None, iou2d.bounding_rectangle(front)) == 0.0


def test_around_the_camera_the_whole_image_is_covered() -> None:
    room = OrientedBox(np.zeros(3), np.full(3, 6.0), EYE)
    hull = iou2d.projected_hull(room, CAMERA, in_image=True)
    np.testing.assert_allclose(iou2d.bounding_rectangle(hull), iou2d.image_rectangle(CAMERA))
    assert iou2d.polygon_area(hull) == pytest.approx(64 * 48)


def test_beside_the_image_nothing_of_it_is_there() -> None:
    aside = OrientedBox(np.array([9.0, 0.0, 2.0]), np.ones(3), EYE)
    whole = iou2d.projected_hull(aside, CAMERA)
    assert len(whole) >= 4
    assert iou2d.bounding_rectangle(iou2d.projected_hull(aside, CAMERA, in_image=True)) is None
    assert iou2d.truncated_rectangle(iou2d.bounding_rectangle(whole), CAMERA) is None


def square(u: float, v: float, side: float, turn: float = 0.0) -> np.ndarray:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
    c, s = math.cos(turn), math.sin(turn)
    return corners @ np.array([[c, s], [-s, c]]) + [u, v]


def test_known_ious_of_outlines_and_rectangles() -> None:
    a = square(0, 0, 2)
    for other, iou in (
        (a, 1.0),
        (square(1, 0, 2), 2 / 6),
        (square(1, 1, 2), 1 / 7),
        (square(0, 0, 1), 1 / 4),
        (square(2, 0, 2), 0.0),
        (square(9, 9, 2), 0.0),
    ):
        assert iou2d.hull_iou(a, other) == pytest.approx(iou)
        assert iou2d.rectangle_iou(
            iou2d.bounding_rectangle(a), iou2d.bounding_rectangle(other)
        ) == pytest.approx(iou)
    octagon = 8 * (math.sqrt(2) - 1)
    turned = square(0, 0, 2, math.pi / 4)
    assert iou2d.hull_iou(a, turned) == pytest.approx(octagon / (8 - octagon))
    assert iou2d.rectangle_iou(
        iou2d.bounding_rectangle(a), iou2d.bounding_rectangle(turned)
    ) == pytest.approx(0.5)
    line = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert iou2d.hull_iou(a, line) == iou2d.hull_iou(line, line) == 0.0
    assert iou2d.rectangle_iou(np.zeros(4), np.zeros(4)) == 0.0


@given(seeds, seeds)
@settings(max_examples=40)
def test_outline_iou_is_symmetric_bounded_and_that_of_random_pixels(one: int, two: int) -> None:
    a, b = (iou2d.projected_hull(a_box(seed), CAMERA, 0.3, in_image=True) for seed in (one, two))
    assume(len(a) > 2 and len(b) > 2)
    iou = iou2d.hull_iou(a, b)
    assert iou2d.hull_iou(b, a) == pytest.approx(iou, abs=1e-9)
    assert 0 <= iou <= 1
    points = np.random.default_rng(0).uniform([-0.5, -0.5], [63.5, 47.5], (20000, 2))

    def covers(hull: np.ndarray) -> np.ndarray:
        edges = np.roll(hull, -1, axis=0) - hull
        offset = points[:, None] - hull[None]
        return np.asarray((edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0] >= 0).all(axis=1))

    union, both = (covers(a) | covers(b)).sum(), (covers(a) & covers(b)).sum()
    assume(union > 200)
    share = both / union
    assert abs(iou - share) < 6 * math.sqrt(share * (1 - share) / union) + 0.01


def test_what_has_no_outline_is_refused() -> None:
    box = OrientedBox(np.array([0.0, 0.0, 3.0]), np.ones(3), EYE)
    for near in (0.0, -1.0, math.nan):
        with pytest.raises(ParameterError, match="near_m > 0"):
            iou2d.projected_hull(box, CAMERA, near)
    with pytest.raises(ContractError, match="not finite"):
        iou2d.projected_hull(OrientedBox(np.array([0.0, np.nan, 3.0]), np.ones(3), EYE), CAMERA)
