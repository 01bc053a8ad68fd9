"""The visible fraction: surfaces that must score 1, and rooms whose exact visibility rays tell."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from box_room import COLOR, DEPTH, BoxRoom, look_around, make_room, render, sensed
from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, invert
from vantage.recover.calibrated import Depth, Tolerances, visible_fractions
from vantage.recover.published import published_scores
from vantage.recover.scores import Scores, column_of
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan

SCANNET = Pinhole(1296, 968, 1169.621094, 1167.105103, 646.295044, 489.927032)
IDS = np.arange(12)
POSES = look_around(1, 8)


def plane(n: int, tilt_deg: float, noise_m: float, seed: int = 0) -> np.ndarray:
    """Random points of a square metre, 2 m in front of the camera, tilted against the image."""
    rng = np.random.default_rng(seed)
    flat = np.c_[rng.uniform(-0.5, 0.5, (n, 2)), rng.normal(size=n) * noise_m]
    R = Rotation.from_euler("y", tilt_deg, degrees=True).as_matrix()
    return (flat @ R.T + [0, 0, 2]).astype(np.float32)


def fraction(coord: np.ndarray, instance: np.ndarray | None = None, depth: Depth | None = None) -> Scores:
    own = np.zeros(len(coord), dtype=np.int32) if instance is None else instance
    ids = np.unique(own[own >= 0]).astype(np.int64)
    return visible_fractions(
        coord, own, ids, [np.eye(4)], [SCANNET], 0.1, Tolerances(), depth_of=lambda _: depth
    )


@pytest.mark.parametrize("tilt_deg", [0, 15, 30, 45, 60, 75])
@pytest.mark.parametrize("noise_m", [0.0, 0.003])
def test_an_unoccluded_plane_scores_one_at_any_tilt(tilt_deg: float, noise_m: float) -> None:
    coord = plane(4000, tilt_deg, noise_m)
    assert fraction(coord).score[0, 0] == pytest.approx(1.0, abs=0.002)
    published = published_scores(coord, np.zeros(len(coord), np.int32), [np.eye(4)], [SCANNET], 0.1).score[
        0, 0
    ]
    if tilt_deg >= 30:
        assert published < 0.65  # the figures of the published score fall with the tilt


@pytest.mark.parametrize(("n", "published"), [(100, 0.99), (1_000, 0.88), (10_000, 0.41), (100_000, 0.07)])
def test_an_unoccluded_plane_scores_one_at_any_density(n: int, published: float) -> None:
    coord = plane(n, 0, 0.003)
    assert fraction(coord).score[0, 0] == pytest.approx(1.0, abs=0.002)
    instance = np.zeros(n, dtype=np.int32)
    scored = published_scores(coord, instance, [np.eye(4)], [SCANNET], 0.1).score[0, 0]
    assert scored == pytest.approx(published, abs=0.06)
    assert fraction(plane(n, 60, 0.003)).score[0, 0] == pytest.approx(1.0, abs=0.002)


def test_a_curved_surface_shows_the_cap_that_faces_the_camera() -> None:
    rng = np.random.default_rng(2)
    unit = rng.normal(size=(20_000, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    found = fraction((unit * 0.5 + [0, 0, 2.5]).astype(np.float32))
    assert found.in_view[0, 0] == 1
    # The cap seen from 2.5 m, and a rim that a view along the surface does not tell from it.
    assert 0 <= found.score[0, 0] - (1 - 0.5 / 2.5) / 2 < 0.09


def test_what_is_behind_is_hidden_and_what_is_outside_is_not_in_view() -> None:
    front = plane(4000, 0, 0.0) - np.float32([0, 0, 1])  # 1 m away, a square metre
    behind = plane(4000, 0, 0.0)  # 2 m away, wholly in its shadow
    aside = plane(4000, 0, 0.0) + np.float32([9, 0, 0])
    half = plane(4000, 0, 0.0, seed=3)
    half[:2000, 2] = -1
    for density in (1, 20):  # a sparse screen hides as well as a dense one
        coord = np.concatenate([front[::density], behind, aside])
        instance = np.repeat([0, 1, 2], [len(front[::density]), 4000, 4000]).astype(np.int32)
        found = fraction(coord, instance)
        assert found.score[0, 1] < 0.06
        assert found.score[0, 2] == found.in_view[0, 2] == 0
    found = fraction(half)
    assert found.score[0, 0] == found.in_view[0, 0] == 0.5  # of all its points, not of those in view


def test_background_hides_and_has_no_column() -> None:
    front, behind = plane(4000, 0, 0.0) - np.float32([0, 0, 1]), plane(4000, 0, 0.0)
    instance = np.repeat([-1, 5], 4000).astype(np.int32)
    found = fraction(np.concatenate([front, behind]), instance)
    assert found.object_ids.tolist() == [5]
    assert found.score[0, 0] < 0.06
    assert found.in_view[0, 0] == 1


def test_a_hole_is_no_occluder_and_a_measured_depth_is_the_judge() -> None:
    camera = Pinhole(320, 240, 290.0, 290.0, 160.0, 120.0)
    coord = plane(4000, 60, 0.003)
    hole, wall, beyond = (np.full((240, 320), z, dtype=np.float32) for z in (0.0, 0.8, 9.0))
    assert fraction(coord, depth=(hole, camera)).score[0, 0] == 1
    assert fraction(coord, depth=(wall, camera)).score[0, 0] == 0  # something thin that the points lack
    assert fraction(coord, depth=(beyond, camera)).score[0, 0] == 1  # seen through: nothing hides it
    half = wall.copy()
    half[:, :160] = 0
    assert fraction(coord, depth=(half, camera)).score[0, 0] == pytest.approx(0.5, abs=0.05)


def test_near_and_far_limits() -> None:
    coord = plane(1000, 0, 0.0)
    instance = np.zeros(1000, dtype=np.int32)
    for near, far, expected in ((0.1, 10.0, 1.0), (0.1, 1.9, 0.0), (2.1, 10.0, 0.0)):
        limits = Tolerances(near_m=near, far_m=far)
        found = visible_fractions(coord, instance, np.array([0]), [np.eye(4)], [SCANNET], 0.1, limits)
        assert found.in_view[0, 0] == found.score[0, 0] == expected


def exact(
    vertices: np.ndarray,
    triangles: np.ndarray,
    coord: np.ndarray,
    column: np.ndarray,
    camera: Pinhole,
    poses: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Visible fraction and share in the picture by a ray to every point that has a column (Open3D)."""
    o3d = pytest.importorskip("open3d")
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32))
    )
    p, column = coord[column >= 0].astype(np.float64), column[column >= 0]
    totals = np.bincount(column)
    seen, view = [], []
    for T in poses:
        rays = np.c_[np.broadcast_to(T[:3, 3], p.shape), p - T[:3, 3]].astype(np.float32)
        hit = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        # A vertex may lie off its face by millimetres: less than a centimetre in front hides nothing.
        free = (hit - 1) * np.linalg.norm(rays[:, 3:], axis=1) > -0.01
        inside = camera.inside(camera.project(apply(invert(T), p))[0])
        seen.append(np.bincount(column[inside & free], minlength=len(totals)) / totals)
        view.append(np.bincount(column[inside], minlength=len(totals)) / totals)
    return np.array(seen), np.array(view)


def scattered(room: BoxRoom, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points of the room's surfaces, all equally dense."""
    rng = np.random.default_rng(4)
    corner = room.vertices[room.triangles]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    chosen = rng.choice(len(area), n, p=area / area.sum())
    points = np.einsum("nk,nkd->nd", rng.dirichlet(np.ones(3), n), corner[chosen])
    return points.astype(np.float32), room.triangle_object[chosen].astype(np.int32)


@pytest.mark.parametrize("kind", ["mesh", "scattered"])
def test_against_rays_to_every_point(kind: str) -> None:
    room = make_room(0)
    coord, instance = (
        (room.vertices.astype(np.float32), room.instance) if kind == "mesh" else scattered(room, 100_000)
    )
    seen, view = exact(room.vertices, room.triangles, coord, instance, COLOR, POSES)
    noisy = (coord + np.random.default_rng(5).normal(size=coord.shape) * 0.003).astype(np.float32)
    images = [(sensed(depth, k), DEPTH) for k, (depth, _) in enumerate(render(room, DEPTH, POSES))]
    cameras = [COLOR] * len(POSES)

    def found(depth: bool, shrink: float = 0.1, threads: int = 1) -> Scores:
        images_of = images.__getitem__ if depth else None
        return visible_fractions(
            noisy, instance, IDS, POSES, cameras, shrink, Tolerances(), depth_of=images_of, threads=threads
        )

    with_depth, without, fine = found(True, threads=2), found(False), found(False, 0.25)
    np.testing.assert_array_equal(with_depth.score, found(True).score)
    assert np.abs(with_depth.in_view - view).max() < 0.02
    concerned = (seen > 0.02) | (without.score > 0.02)
    assert concerned.sum() > 25

    def error(scores: np.ndarray) -> float:
        return float(np.abs(scores - seen)[concerned].mean())

    published = published_scores(noisy, instance, POSES, cameras, 0.1).score[:, 1:]
    assert error(with_depth.score) < 0.04
    assert error(without.score) < 0.06
    assert error(fine.score) < 0.06
    assert error(published) > 2 * max(error(with_depth.score), error(without.score))
    assert np.corrcoef(with_depth.score[concerned], seen[concerned])[0, 1] > 0.98


def test_furniture_of_a_generated_room() -> None:
    """Legs and boards are about as thick as points are apart: harder than boxes."""
    scan = generate_scan("room0000_00", 0, GeneratedConfig(frames_per_scan=10, mesh_edge=0.04))
    good = np.isfinite(scan.T_raw_cam).all(axis=(1, 2))
    poses, camera = list(scan.T_raw_cam[good]), scan.color_camera
    coord, instance = scan.mesh.vertices, scan.mesh.object_id
    ids = np.unique(instance[instance >= 0]).astype(np.int64)
    seen, _ = exact(coord, scan.mesh.faces, coord, column_of(instance, ids), camera, poses)
    depths = [(depth.astype(np.float32) / 1000, scan.depth_camera) for depth in scan.depth[good]]
    args = (coord, instance, ids, poses, [camera] * len(poses), 0.1)
    found = [
        visible_fractions(*args, Tolerances(), depth_of=depths.__getitem__).score,
        visible_fractions(*args, Tolerances()).score,
    ]
    columns = np.searchsorted(np.unique(instance), ids)
    published = published_scores(coord, instance, poses, [camera] * len(poses), 0.1).score[:, columns]
    concerned = seen > 0.02
    assert concerned.sum() > 30
    errors = [float(np.abs(scores - seen)[concerned].mean()) for scores in (*found, published)]
    assert max(errors[:2]) < 0.09
    assert errors[2] > 2.5 * max(errors[:2])


def test_moving_the_world_changes_nothing() -> None:
    room = make_room(2, objects=6)
    T = compose(Rotation.from_euler("xyz", [0.4, -0.9, 2.0]).as_matrix(), np.array([3.0, -7.0, 1.0]))
    ids = np.arange(6)
    here = visible_fractions(
        room.vertices.astype(np.float32), room.instance, ids, POSES[:3], [COLOR] * 3, 0.2, Tolerances()
    )
    there = visible_fractions(
        apply(T, room.vertices).astype(np.float32), room.instance, ids, [T @ p for p in POSES[:3]],
        [COLOR] * 3, 0.2, Tolerances(),
    )  # fmt: skip
    assert np.abs(here.score - there.score).max() < 0.08  # other voxels, the same scene
    np.testing.assert_allclose(here.in_view, there.in_view, atol=0.002)


def test_few_points_and_points_astray() -> None:
    for n in (1, 2, 3):
        assert fraction(plane(n, 0, 0.0)).score[0, 0] == 1
    coord = np.concatenate([plane(50, 0, 0.0), np.float32([[4e7, 0, 0]])])
    with pytest.raises(ScanError, match="20 km"):
        fraction(coord)
