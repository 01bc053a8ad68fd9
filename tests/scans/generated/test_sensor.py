"""Sensor faults: as large as the parameters say, and none where they are zero."""

from dataclasses import replace

import numpy as np
import pytest

from vantage.scans.generated.config import NoiseConfig
from vantage.scans.generated.render import DepthViews
from vantage.scans.generated.sensor import lost_tracking, measured_color, measured_depth, noise_tile

NONE = NoiseConfig(depth_noise=0.0, depth_dropout=0.0, color_noise=0.0, exposure=0.0, blurred=0.0, lost=0.0)


def wall(z: float, incidence: float = 1.0, brightness: float = 150.0, size: int = 120) -> DepthViews:
    shape = (1, size, size)
    full = [np.full(shape, value, np.float32) for value in (z, incidence, brightness)]
    return DepthViews(full[0], full[1], full[2], np.zeros(shape, np.int32))


def measure(views: DepthViews, config: NoiseConfig) -> np.ndarray:
    return measured_depth(views, config, np.random.default_rng(1))[0]


def test_without_faults_depth_is_rounded_to_millimetres() -> None:
    assert np.all(measure(wall(2.34567), NONE) == 2346)


@pytest.mark.parametrize("z", [1.0, 2.0, 4.0])
def test_noise_grows_with_the_square_of_depth(z: float) -> None:
    config = NoiseConfig(depth_noise=0.0015, depth_dropout=0.0)
    assert measure(wall(z), config).std() == pytest.approx(1.5 * z * z, rel=0.05)


def test_holes_come_with_range_grazing_angles_and_dark_surfaces() -> None:
    config = NoiseConfig()

    def lost(views: DepthViews) -> float:
        return float((measure(views, config) == 0).mean())

    plain = lost(wall(2.0))
    assert plain == pytest.approx(config.depth_dropout, abs=0.008)
    assert lost(wall(2.0, incidence=0.1)) > plain + 0.3
    assert lost(wall(7.0)) > 0.99
    assert lost(wall(2.0, brightness=20.0)) == pytest.approx(plain + 0.12, abs=0.02)


def test_depth_edges_lose_pixels() -> None:
    views = wall(2.0)
    views.depth[0, :, 60:] = 3.0
    depth = measure(views, NoiseConfig())
    assert (depth[:, 59:61] == 0).mean() > 0.3
    assert (depth[:, 20:40] == 0).mean() < 0.05


def test_nothing_met_is_a_hole() -> None:
    views = wall(2.0)
    views.depth[0, 3, 4] = 0.0
    assert measure(views, NONE)[3, 4] == 0


def test_colour_noise_exposure_and_blur() -> None:
    rng = np.random.default_rng(0)
    color = np.full((96, 128, 3), 128, np.uint8)
    color[:, ::2] = 90
    tile = noise_tile((96, 128, 3), NONE, rng)
    assert np.array_equal(measured_color(color, tile, NONE, rng), color)
    blurred = measured_color(color, tile, replace(NONE, blurred=1.0), rng)
    assert blurred.std() < 0.6 * color.std()
    assert blurred.mean() == pytest.approx(color.mean(), abs=2)
    bright = [measured_color(color, tile, replace(NONE, exposure=0.08), rng).mean() for _ in range(200)]
    assert np.std(bright) / np.mean(bright) == pytest.approx(0.08, rel=0.25)
    noisy = replace(NONE, color_noise=4.0)
    flat = np.full((96, 128, 3), 128, np.uint8)
    assert measured_color(flat, noise_tile(flat.shape, noisy, rng), noisy, rng).std() == pytest.approx(
        4, rel=0.1
    )


def test_lost_tracking_has_its_share_and_never_all_frames() -> None:
    shares = [lost_tracking(24, NoiseConfig(), np.random.default_rng(k)).mean() for k in range(400)]
    assert np.mean(shares) == pytest.approx(0.03, abs=0.006)
    assert not lost_tracking(2, NoiseConfig(lost=0.5), np.random.default_rng(0)).all()
    assert not any(lost_tracking(2, NoiseConfig(lost=0.5), np.random.default_rng(k)).all() for k in range(50))
