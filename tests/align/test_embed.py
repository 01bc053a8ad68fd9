import numpy as np
import pytest
from ego_poses import a_camera, an_alignment, seeds, some_points
from hypothesis import given
from hypothesis import strategies as st

from vantage.align.ego import ego_of_camera
from vantage.align.embed import (
    additive_numbers,
    blank_token_numbers,
    pose_numbers,
    pose_of_numbers,
    token_numbers,
)
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply

CAMERA = Pinhole(640, 480, 577.87, 580.0, 319.5, 239.5)
SCANNET = Pinhole(1296, 968, 1169.621094, 1167.105103, 646.295044, 489.927032)


@given(seeds)
def test_each_token_has_the_published_six_numbers(seed: int) -> None:
    T, p = a_camera(seed), some_points(seed, 50)
    found = token_numbers(p, "raw", ego_of_camera(T, "raw", "ego_camera"), SCANNET, published_corner=True)
    for point, row in zip(p, found, strict=True):  # from the description, a point at a time
        x, y, z = (np.linalg.inv(T) @ [*point, 1.0])[:3]
        u, v = 1169.621094 * x / z + 646.295044, 1167.105103 * y / z + 489.927032
        seen = z > 0 and 0 <= u < 1296 and 0 <= v < 968
        tail = [u / 1296, v / 968, 1.0] if seen else [-1.0, -1.0, 0.0]
        np.testing.assert_allclose(row, [x, y, z, *tail], atol=1e-5)
    assert found.dtype == np.float32
    assert blank_token_numbers(3).tolist() == [[0.0] * 6] * 3


@given(seeds)
def test_pixel_centres_are_the_default_and_each_scan_has_its_own_camera(seed: int) -> None:
    ego, p = ego_of_camera(a_camera(seed), "raw", "ego_camera"), some_points(seed, 50)
    mine = token_numbers(p, "raw", ego, CAMERA)
    half = token_numbers(p, "raw", ego, CAMERA.resized(320, 240))
    np.testing.assert_allclose(half, mine, atol=1e-6)  # shares of the image do not depend on its size
    uv, _ = CAMERA.project(mine[:, :3].astype(np.float64))
    seen = mine[:, 5] == 1
    np.testing.assert_array_equal(seen, CAMERA.inside(uv))
    np.testing.assert_allclose(mine[seen, 3:5], (uv[seen] + 0.5) / [640, 480], atol=1e-5)


@given(seeds)
def test_points_of_the_other_world_are_composed_or_refused(seed: int) -> None:
    ego, T_aligned_raw, p = (
        ego_of_camera(a_camera(seed), "raw", "ego_camera"),
        an_alignment(seed),
        some_points(seed),
    )
    direct = token_numbers(p, "raw", ego, CAMERA)
    composed = token_numbers(apply(T_aligned_raw, p), "aligned", ego, CAMERA, T_aligned_raw)
    np.testing.assert_allclose(composed, direct, atol=1e-5)
    with pytest.raises(ContractError, match="two worlds"):
        token_numbers(p, "aligned", ego, CAMERA)
    with pytest.raises(ContractError, match="two worlds"):
        additive_numbers(p, "aligned", ego)
    with pytest.raises(ContractError, match="wrong frame"):
        token_numbers(p, "aligned", ego_of_camera(a_camera(seed), "aligned", "ego_level"), CAMERA)


def test_in_a_mirrored_scene_u_is_mirrored() -> None:
    mirror, T, p = np.diag([1.0, -1.0, 1.0, 1.0]), a_camera(3), some_points(3, 300)
    camera = Pinhole(640, 480, 400.0, 400.0, 319.5, 239.5)
    before = token_numbers(p, "raw", ego_of_camera(T, "raw", "ego_camera"), camera)
    there = ego_of_camera(mirror @ T @ np.diag([-1.0, 1.0, 1.0, 1.0]), "raw", "ego_camera")
    after = token_numbers(apply(mirror, p), "raw", there, camera)
    seen = before[:, 5] == 1
    assert 10 < seen.sum() < 290
    np.testing.assert_array_equal(after[:, 5], before[:, 5])
    np.testing.assert_allclose(after[:, :3], before[:, :3] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(after[seen, 3], 1 - before[seen, 3], atol=1e-5)
    np.testing.assert_allclose(after[seen, 4], before[seen, 4], atol=1e-5)


def test_everything_is_finite() -> None:
    ego = ego_of_camera(a_camera(1), "raw", "ego_camera")
    at_the_camera = ego.T_world_ego[:3, 3]
    beside_it = at_the_camera + ego.T_world_ego[:3, 1]  # z = 0, or as little as rounding makes
    bad = [[np.nan, 0, 0], [0, np.inf, 0], [1e300, 0, 0], [-1e38, 1e38, 1e38]]
    p = np.array([at_the_camera, beside_it, *bad])
    for camera in (CAMERA, Pinhole(1, 1, 1e-3, 1e6, 0.0, 0.0)):
        found = token_numbers(p, "raw", ego, camera)
        assert np.isfinite(found).all()
        assert found[2:5].tolist() == [[0, 0, 0, -1, -1, 0]] * 3
    assert np.isfinite(additive_numbers(p, "raw", ego)).all()
    assert np.isfinite(additive_numbers(p, "raw", None)).all()


@given(seeds, st.sampled_from(["ego_level", "ego_camera"]))
def test_a_pose_comes_back_from_its_numbers(seed: int, frame: Frame) -> None:
    ego = ego_of_camera(a_camera(seed), "aligned", frame)
    numbers = pose_numbers(ego)
    assert numbers.dtype == np.float32
    back = pose_of_numbers(numbers, "aligned", frame)
    np.testing.assert_allclose(back.T_world_ego, ego.T_world_ego, atol=1e-6)
    if frame == "ego_camera":  # numbers need not be exact
        scaled = numbers * np.array([3.0] * 3 + [0.2] * 3 + [1.0] * 3)
        scaled[3:6] += 0.4 * scaled[:3]
        again = pose_of_numbers(scaled, "aligned", frame)
        np.testing.assert_allclose(again.T_world_ego, ego.T_world_ego, atol=1e-5)


def test_numbers_that_name_no_pose_are_refused() -> None:
    along_one_line = np.array([1.0, 0, 0, -2.0, 0, 0, 5, 5, 5])
    for numbers in (pose_numbers(None), along_one_line, np.full(9, np.nan)):
        with pytest.raises(ContractError, match="name no pose"):
            pose_of_numbers(numbers, "raw", "ego_camera")


@given(seeds)
def test_the_additive_input_is_pose_then_point_in_one_world(seed: int) -> None:
    T_aligned_raw, p = an_alignment(seed), some_points(seed).reshape(4, 5, 3)
    raw = ego_of_camera(a_camera(seed), "raw", "ego_camera")
    found = additive_numbers(p, "aligned", raw, T_aligned_raw)
    aligned = ego_of_camera(T_aligned_raw @ a_camera(seed), "aligned", "ego_camera")
    assert found.shape == (4, 5, 12)
    np.testing.assert_allclose(found[..., :9], np.broadcast_to(pose_numbers(aligned), (4, 5, 9)), atol=1e-5)
    np.testing.assert_array_equal(found[..., 9:], p.astype(np.float32))
    assert not additive_numbers(p, "raw", None)[..., :9].any()
