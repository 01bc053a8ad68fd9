import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.geometry.camera import Pinhole

cameras = st.builds(
    Pinhole,
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    fx=st.floats(50, 2000),
    fy=st.floats(50, 2000),
    cx=st.floats(-100, 2000),
    cy=st.floats(-100, 2000),
)
points = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 10)), min_size=1, max_size=20
).map(np.array)


@given(cameras, points)
def test_backprojection_inverts_projection(camera: Pinhole, p_cam: np.ndarray) -> None:
    uv, z = camera.project(p_cam)
    np.testing.assert_allclose(camera.backproject(uv, z), p_cam, atol=1e-9)


@given(cameras, points)
def test_projection_is_the_intrinsic_matrix(camera: Pinhole, p_cam: np.ndarray) -> None:
    homogeneous = p_cam @ camera.matrix().T
    np.testing.assert_allclose(camera.project(p_cam)[0], homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-6)


@given(cameras, points, st.integers(1, 3000), st.integers(1, 3000))
def test_resizing_keeps_the_share_of_the_image_left_of_and_above_a_point(
    camera: Pinhole, p_cam: np.ndarray, width: int, height: int
) -> None:
    # Pixel c covers [c, c + 1) from the image's edge at c + 0.5 from its centre, so (c + 0.5) / size is kept.
    resized = camera.resized(width, height)
    size, new_size = np.array([camera.width, camera.height]), np.array([width, height])
    np.testing.assert_allclose(
        (resized.project(p_cam)[0] + 0.5) / new_size,
        (camera.project(p_cam)[0] + 0.5) / size,
        rtol=1e-9,
        atol=1e-9,
    )


@given(cameras, st.integers(1, 3000), st.integers(1, 3000))
def test_resizing_there_and_back_changes_nothing(camera: Pinhole, width: int, height: int) -> None:
    back = camera.resized(width, height).resized(camera.width, camera.height)
    np.testing.assert_allclose(list(back.to_dict().values()), list(camera.to_dict().values()), atol=1e-6)


def test_halving_an_image_averages_pixel_pairs_about_their_middle() -> None:
    camera = Pinhole(8, 6, 10.0, 12.0, 3.5, 2.5)
    assert camera.resized(4, 2) == Pinhole(4, 2, 5.0, 4.0, 1.5, 0.5)


def test_points_at_or_behind_the_camera_have_no_pixel() -> None:
    camera = Pinhole(8, 6, 10.0, 12.0, 3.5, 2.5)
    uv, z = camera.project(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, -2.0], [0.0, 0.0, 1.0]]))
    assert np.isnan(uv[:2]).all()
    assert uv[2].tolist() == [3.5, 2.5]
    assert z.tolist() == [0.0, -2.0, 1.0]
    assert camera.inside(uv).tolist() == [False, False, True]


def test_the_image_reaches_half_a_pixel_beyond_the_outer_centres() -> None:
    camera = Pinhole(8, 6, 10.0, 12.0, 3.5, 2.5)
    uv = np.array([[-0.5, -0.5], [-0.51, 0.0], [7.49, 5.49], [7.5, 0.0], [0.0, 5.5]])
    assert camera.inside(uv).tolist() == [True, False, True, False, False]


def test_rays_times_depth_are_the_backprojected_pixels() -> None:
    camera = Pinhole(5, 4, 10.0, 12.0, 2.1, 1.3)
    v, u = np.mgrid[0:4, 0:5].astype(float)
    depth = np.arange(1.0, 21.0).reshape(4, 5)
    expected = camera.backproject(np.stack([u, v], axis=-1), depth)
    np.testing.assert_allclose(camera.rays() * depth[..., None], expected, atol=1e-12)


@given(cameras)
def test_json_round_trip(camera: Pinhole) -> None:
    assert Pinhole.from_dict(json.loads(json.dumps(camera.to_dict()))) == camera


def test_the_matrix_round_trip_and_skew() -> None:
    camera = Pinhole(8, 6, 10.0, 12.0, 3.5, 2.5)
    assert Pinhole.from_matrix(8, 6, camera.matrix()) == camera
    skewed = camera.matrix()
    skewed[0, 1] = 0.5
    with pytest.raises(ValueError, match="skew"):
        Pinhole.from_matrix(8, 6, skewed)


@pytest.mark.parametrize("wrong", [{"fx": 0.0}, {"width": 0}, {"cy": float("nan")}, {"fy": -3.0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    fields = {"width": 8, "height": 6, "fx": 10.0, "fy": 12.0, "cx": 3.5, "cy": 2.5}
    with pytest.raises(ValueError, match="not a camera"):
        Pinhole.from_dict(fields | wrong)


def test_an_unknown_or_missing_field_is_refused() -> None:
    with pytest.raises(ValueError, match="k1"):
        Pinhole.from_dict({"width": 8, "height": 6, "fx": 10.0, "fy": 12.0, "cx": 3.5, "k1": 2.5})
