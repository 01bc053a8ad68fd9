"""Scale and shift that bring estimated depth to measured depth, in spite of outliers, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.lift.estimators.estimate import Estimate

MIN_POINTS = 50
_HYPOTHESES, _JUDGES = 500, 2000
_ROUNDING = 1e-6
#: Inverse depths below this (1/m) are holes once aligned: nothing indoors is a kilometre away.
_FARTHEST_PER_M = 1e-3


@dataclass(frozen=True)
class Fit:
    """`scale * value + shift`: metres, or inverse metres if `relative`."""

    scale: float = 1.0
    shift: float = 0.0
    relative: bool = False

    def depth(self, values: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
        """Aligned depth in metres; holes, and what would lie behind the camera, are 0."""
        line = values.astype(np.float64) * self.scale + self.shift
        if self.relative:
            there = np.isfinite(line) & (line > _FARTHEST_PER_M)
            line = 1 / np.where(there, line, 1)
        else:
            there = np.isfinite(line) & (values > 0) & (line > 0)
        return np.where(there, line, 0).astype(np.float32)


@dataclass(frozen=True)
class Residual:
    """How far aligned depth is from measured depth.

    Attributes:
        points: pixels with both.
        inliers: pixels that the fit rests on; all of them where nothing was fitted.
        median_relative: median of |estimated - measured| / measured; 1 for a pixel that became a hole.
        within_10_percent, within_5_cm: shares of the pixels.
    """

    points: int
    inliers: int
    median_relative: float
    within_10_percent: float
    within_5_cm: float


def paired(
    estimated: Estimate,
    color_camera: Pinhole,
    sensor: Float32[np.ndarray, "h w"],
    depth_camera: Pinhole,
) -> tuple[Float32[np.ndarray, "n"], Float32[np.ndarray, "n"]]:
    """Estimated values and measured depths (m) of the sensor's pixels that have both.

    The cameras share centre and axes; a sensor pixel takes the colour pixel whose area its ray falls in.
    """
    uv, _ = color_camera.project(depth_camera.rays())
    usable = color_camera.inside(uv) & (sensor > 0) & np.isfinite(sensor)
    u, v = np.floor(uv[usable] + 0.5).astype(np.int64).T
    values, measured = estimated.values[v, u], sensor[usable]
    known = np.isfinite(values) if estimated.relative else values > 0
    return values[known], measured[known]


def fit_to_sensor(
    values: Float32[np.ndarray, "n"],
    measured: Float32[np.ndarray, "n"],
    relative: bool,
    shift: bool,
    rng: np.random.Generator,
) -> tuple[Fit, Residual]:
    """Scale, and a shift if asked for, with the least median of relative errors, then least squares.

    Up to nearly half of the pixels may be anything. In depth for metric values, in inverse depth for
    `relative` ones. Raises ScanError for too few pixels, a flat estimate, or one that falls where the sensor
    rises.
    """
    if len(values) < MIN_POINTS:
        expected, found = f"at least {MIN_POINTS} pixels with both", f"{len(values)}"
        raise ScanError("too little sensor depth to align the estimate", expected=expected, found=found)
    x = values.astype(np.float64)
    y = measured.astype(np.float64)
    y = 1 / y if relative else y
    scale, offset = _least_median(x, y, shift, rng)
    off = _errors(x, y, scale, offset)
    limit = max(_ROUNDING, 2.5 * 1.4826 * float(np.median(off)))
    close = off <= limit
    for _ in range(20):
        scale, offset = _least_squares(x[close], y[close], shift)
        now = _errors(x, y, scale, offset) <= limit
        if np.array_equal(now, close):
            break
        close = now
    if not (np.isfinite(scale) and scale > 0 and close.any()):
        raise ScanError(
            "the estimate does not follow the sensor", expected="a scale above 0", found=f"{scale:.3g}"
        )
    fit = Fit(scale, offset, relative)
    return fit, residual(fit.depth(values), measured, int(close.sum()))


def residual(
    aligned: Float32[np.ndarray, "n"], measured: Float32[np.ndarray, "n"], inliers: int | None = None
) -> Residual:
    """Compare aligned with measured depth (m), pixel by pixel; a hole (0) is off by all of it."""
    if not len(aligned):
        return Residual(0, 0, 0.0, 0.0, 0.0)
    off = np.abs(aligned.astype(np.float64) - measured)
    return Residual(
        points=len(aligned),
        inliers=len(aligned) if inliers is None else inliers,
        median_relative=float(np.median(off / measured)),
        within_10_percent=float(np.mean(off <= 0.1 * measured)),
        within_5_cm=float(np.mean(off <= 0.05)),
    )


def _errors(
    x: Float64[np.ndarray, "n"], y: Float64[np.ndarray, "n"], scale: float, offset: float
) -> Float64[np.ndarray, "n"]:
    return np.asarray(np.abs(scale * x + offset - y) / y)


def _least_median(
    x: Float64[np.ndarray, "n"], y: Float64[np.ndarray, "n"], shift: bool, rng: np.random.Generator
) -> tuple[float, float]:
    """Of lines through one or two random pixels, the one with the least median error over many pixels."""
    a, b = rng.integers(len(x), size=(2, _HYPOTHESES))
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = (y[a] - y[b]) / (x[a] - x[b]) if shift else y[a] / x[a]
        offsets = y[a] - scales * x[a] if shift else np.zeros(_HYPOTHESES)
    possible: Bool[np.ndarray, "k"] = np.isfinite(scales) & (scales > 0)
    if not possible.any():
        raise ScanError("the estimate is flat, or falls where the sensor rises", expected="a scale above 0")
    judges = rng.permutation(len(x))[:_JUDGES]
    scales, offsets = scales[possible], offsets[possible]
    off = np.abs(scales[:, None] * x[judges] + offsets[:, None] - y[judges]) / y[judges]
    best = int(np.argmin(np.median(off, axis=1)))
    return float(scales[best]), float(offsets[best])


def _least_squares(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], shift: bool) -> tuple[float, float]:
    """The line with least squares of relative errors."""
    u, one = x / y, 1 / y
    if not shift:
        return float(u.sum() / (u @ u)), 0.0
    solution, *_ = np.linalg.lstsq(np.stack([u, one], axis=1), np.ones(len(u)), rcond=None)
    return float(solution[0]), float(solution[1])
