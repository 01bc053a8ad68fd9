"""Scale and shift from measured depth: exact where the truth is known, and refused where it cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from box_room import COLOR, DEPTH, look_around, make_room, render
from vantage.core.errors import ScanError
from vantage.lift.estimators.alignment import Fit, fit_to_sensor, paired, residual
from vantage.lift.estimators.estimate import Estimate

SCALES = st.floats(0.05, 20)
SEEDS = st.integers(0, 2**31)


def scene(seed: int, n: int = 4000) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 6.0, n), rng


def spoil(values: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the values becomes anything, mostly too large: outliers are not symmetric."""
    bad = rng.permutation(len(values))[: int(share * len(values))]
    spoiled = values.copy()
    spoiled[bad] *= rng.uniform(1.3, 8.0, len(bad))
    return spoiled


@settings(max_examples=60, deadline=None)
@given(SCALES, SEEDS, st.floats(0, 0.45), st.booleans())
def test_scale_is_found_exactly_among_outliers(scale: float, seed: int, share: float, shift: bool) -> None:
    z, rng = scene(seed)
    values = spoil(z / scale, share, rng).astype(np.float32)
    fit, left = fit_to_sensor(values, z.astype(np.float32), False, shift, rng)
    assert fit.scale == pytest.approx(scale, rel=1e-4)
    assert fit.shift == pytest.approx(0, abs=1e-4)
    assert left.within_10_percent >= 1 - share - 0.01
    assert left.inliers >= 0.99 * (1 - share) * len(z)
    assert left.points == len(z)


@settings(max_examples=60, deadline=None)
@given(SCALES, st.floats(-0.3, 0.3), SEEDS, st.floats(0, 0.4), st.booleans())
def test_scale_and_shift_are_found_exactly_among_outliers(
    scale: float, offset: float, seed: int, share: float, relative: bool
) -> None:
    z, rng = scene(seed)
    target = 1 / z if relative else z
    values = spoil((target - offset) / scale, share, rng)
    fit, _ = fit_to_sensor(values.astype(np.float32), z.astype(np.float32), relative, True, rng)
    good = np.isclose(values, (target - offset) / scale)
    np.testing.assert_allclose(fit.depth(values[good & (values > 0)].astype(np.float32)),
                               z[good & (values > 0)], rtol=2e-3)  # fmt: skip
    assert fit.scale == pytest.approx(scale, rel=2e-3)
    assert fit.shift == pytest.approx(offset, abs=2e-3)


@settings(max_examples=30, deadline=None)
@given(SCALES, SEEDS)
def test_noise_costs_little(scale: float, seed: int) -> None:
    z, rng = scene(seed)
    noisy = spoil(z / scale * (1 + 0.03 * rng.normal(size=len(z))), 0.2, rng)
    fit, left = fit_to_sensor(noisy.astype(np.float32), z.astype(np.float32), False, False, rng)
    assert fit.scale == pytest.approx(scale, rel=0.01)
    assert left.median_relative < 0.04


@settings(max_examples=30, deadline=None)
@given(SCALES, SEEDS, st.booleans())
def test_a_scaled_estimate_gives_the_same_depth(factor: float, seed: int, shift: bool) -> None:
    """Metamorphic: what the estimate's unit is cannot matter."""
    z, rng = scene(seed)
    values = (z * rng.uniform(0.9, 1.1, len(z))).astype(np.float32)
    one, _ = fit_to_sensor(values, z.astype(np.float32), False, shift, np.random.default_rng(0))
    other = (values * np.float32(factor)).astype(np.float32)
    two, _ = fit_to_sensor(other, z.astype(np.float32), False, shift, np.random.default_rng(0))
    np.testing.assert_allclose(one.depth(values), two.depth(other), rtol=1e-3)


def test_the_same_seed_the_same_fit() -> None:
    z, rng = scene(1)
    values = (z * rng.uniform(0.7, 1.4, len(z))).astype(np.float32)
    fits = {
        fit_to_sensor(values, z.astype(np.float32), False, True, np.random.default_rng(5))[0] for _ in "ab"
    }
    assert len(fits) == 1


def test_pixels_are_paired_through_both_cameras() -> None:
    """Depth ray-cast for both cameras agrees along the pairs, though sizes and intrinsics differ."""
    room, poses = make_room(4), look_around(1, 2)
    for (color, _), (depth, _) in zip(render(room, COLOR, poses), render(room, DEPTH, poses), strict=True):
        sensor = depth.astype(np.float32)
        sensor[:20] = 0
        sensor[20, :5] = np.nan
        estimated = color.astype(np.float32)
        estimated[:, :30] = 0
        x, y = paired(Estimate(estimated, relative=False), COLOR, sensor, DEPTH)
        assert 0.7 * DEPTH.width * DEPTH.height < len(x) < DEPTH.width * (DEPTH.height - 20)
        assert np.median(np.abs(x - y) / y) < 0.003  # half a colour pixel on slanted walls
        assert np.mean(np.abs(x - y) < 0.05) > 0.97  # the rest are edges
        fit, left = fit_to_sensor(x * np.float32(3), y, False, True, np.random.default_rng(0))
        assert fit.scale == pytest.approx(1 / 3, rel=2e-3)
        assert left.within_5_cm > 0.97


@pytest.mark.parametrize("relative", [False, True])
def test_what_cannot_be_aligned_is_refused(relative: bool) -> None:
    rng = np.random.default_rng(0)
    z = rng.uniform(1, 4, 2000).astype(np.float32)
    with pytest.raises(ScanError, match=r"(?s)too little.*at least 50.*found: 49"):
        fit_to_sensor(z[:49], z[:49], relative, True, rng)
    with pytest.raises(ScanError, match="flat"):
        fit_to_sensor(np.ones_like(z), z, relative, True, rng)
    against = (5 - z) if not relative else 5 - 1 / z
    with pytest.raises(ScanError, match="falls where the sensor rises"):
        fit_to_sensor(against, z, relative, True, rng)


def test_holes_stay_holes_and_nothing_lies_behind_the_camera() -> None:
    metric = Fit(2.0, -1.0)
    np.testing.assert_array_equal(metric.depth(np.array([0, 0.25, 1, 2], np.float32)), [0, 0, 1, 3])
    inverse = Fit(1.0, -0.5, relative=True)
    np.testing.assert_array_equal(inverse.depth(np.array([np.nan, 0.0, 0.5, 1.0], np.float32)), [0, 0, 0, 2])
    one = residual(np.array([0, 1, 2.04], np.float32), np.array([1, 1, 2], np.float32))
    assert (one.points, one.inliers, one.median_relative) == (3, 3, pytest.approx(0.02))
    assert one.within_5_cm == one.within_10_percent == pytest.approx(2 / 3)
