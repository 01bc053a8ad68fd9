"""The surface in a depth image: planes stay planes, noise shrinks, flying pixels go, thin things stay."""

import numpy as np
import pytest

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose
from vantage.lift.box_settings import BoxSettings
from vantage.lift.depth_surface import DepthSurface, depth_surface, hidden_border

CAMERA = Pinhole(64, 48, 60.0, 62.0, 31.0, 24.0)
COLOR = Pinhole(96, 80, 90.0, 91.0, 47.0, 40.0)


def surface_of(depth: np.ndarray, pose: np.ndarray | None = None) -> DepthSurface:
    return depth_surface(
        depth.astype(np.float32), CAMERA, COLOR, np.eye(4) if pose is None else pose, BoxSettings()
    )


def plane(normal: np.ndarray, offset: float) -> np.ndarray:
    """Depth of the plane normal . p = offset."""
    return np.asarray(offset / (CAMERA.rays() @ normal))


@pytest.mark.parametrize("tilt", [0.0, 0.5, 1.0, 1.2])
def test_a_plane_stays_itself_to_its_very_edge(tilt: float) -> None:
    exact = plane(np.array([np.sin(tilt), 0.1, np.cos(tilt)]), 2.0)
    exact[~((exact > 0.5) & (exact < 6))] = 0
    exact[:, 50:] = 0
    found = surface_of(exact)
    np.testing.assert_allclose(found.depth[found.depth > 0], exact[found.depth > 0], rtol=1e-6)
    assert (found.depth > 0).sum() >= 0.99 * (exact > 0).sum()
    normal = np.array([np.sin(tilt), 0.1, np.cos(tilt)])
    np.testing.assert_allclose(found.xyz_world[found.depth > 0] @ normal, 2.0, rtol=1e-6)


def test_noise_shrinks_and_a_step_stays_sharp() -> None:
    rng = np.random.default_rng(0)
    exact = np.where(np.arange(64) < 30, 1.5, 2.5) * np.ones((48, 1))
    found = surface_of(exact + rng.normal(size=exact.shape) * 0.003)
    error = np.abs(found.depth - exact)
    assert error.max() < 0.012
    assert error[2:-2, 2:-2].std() < 0.0015
    assert not found.flying.any()


def test_flying_pixels_go_and_both_surfaces_stay() -> None:
    rng = np.random.default_rng(1)
    exact = np.where(np.arange(64) < 30, 1.0, 3.0) * np.ones((48, 1))
    spoilt = exact.copy()
    spoilt[:, 30] = rng.uniform(1.2, 2.8, 48)
    found = surface_of(spoilt)
    assert found.flying[:, 30].mean() > 0.8
    assert (found.depth[:, :30] > 0).all()
    assert (found.depth[:, 31:] > 0).all()


def test_a_pole_of_one_pixel_is_no_flying_pixel() -> None:
    exact = np.full((48, 64), 3.0)
    exact[:, 20] = 1.0
    found = surface_of(exact)
    np.testing.assert_allclose(found.depth[1:-1], exact[1:-1])  # its ends have a single neighbour


def test_holes_of_every_kind_stay_holes() -> None:
    exact = np.full((48, 64), 2.0)
    for k, hole in enumerate((0.0, -1.0, np.nan, np.inf, 0.01, 50.0)):
        exact[10, 5 * k + 5] = hole
    found = surface_of(exact)
    assert (~found.measured).sum() == 6
    assert np.isfinite(found.depth).all()
    assert ((found.depth == 0) == ~found.measured).all()


def test_a_point_is_looked_up_where_it_is() -> None:
    R = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    found = surface_of(np.full((48, 64), 2.0), compose(R, np.array([1.0, 2.0, 3.0])))
    p = found.xyz_world[20, 40][None]
    z, seen, uv = found.depth_at(p)
    assert z == pytest.approx(2)
    assert seen == pytest.approx(2)
    np.testing.assert_allclose(uv[0], found.uv[20, 40])
    behind = np.array([[0.0, 2.0, 3.0], [3.0, 90.0, 3.0]])  # behind the camera, and far beside its picture
    assert (found.depth_at(behind)[1] == 0).all()


def test_wrong_images_and_poses_are_refused() -> None:
    with pytest.raises(ScanError, match="another size"):
        surface_of(np.ones((64, 48)))
    with pytest.raises(ScanError, match="not a rigid"):
        surface_of(np.ones((48, 64)), 2 * np.eye(4))


def test_the_outline_is_hidden_where_what_is_beside_it_is_nearer() -> None:
    depth = np.full((48, 64), 4.0)
    mine = np.zeros(depth.shape, dtype=bool)
    mine[10:30, 20:40] = True
    depth[mine] = 2.0
    assert hidden_border(surface_of(depth), mine, BoxSettings()) == 0
    depth[:, 40:] = 1.0  # along one of four equal sides
    assert hidden_border(surface_of(depth), mine, BoxSettings()) == pytest.approx(0.25, abs=0.01)
    assert hidden_border(surface_of(depth), np.zeros_like(mine), BoxSettings()) == 0
