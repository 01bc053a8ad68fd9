"""Whether a frame is fit for use: pose, depth coverage, sharpness, exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from vantage.geometry.transforms import is_rigid
from vantage.scans.config import ExtractConfig

#: Longest side (pixels) at which sharpness is measured, so that one threshold fits every resolution.
BLUR_SIDE_PX = 320


@dataclass(frozen=True)
class Quality:
    """Measures of a frame: share of depth pixels measured, variance of the Laplacian, mean grey in 0 to 1."""

    depth_valid_share: float
    blur: float
    exposure: float


def measure(gray: Float32[np.ndarray, "h w"], depth: Float32[np.ndarray, "H W"]) -> Quality:
    """Measure a frame by its grey image (0 to 255, `codecs.decode_gray`) and its depth (metres, holes 0)."""
    return Quality(
        depth_valid_share=float(np.count_nonzero(depth) / depth.size),
        blur=laplacian_variance(gray),
        exposure=float(gray.mean(dtype=np.float64) / 255.0),
    )


def laplacian_variance(gray: Float32[np.ndarray, "h w"]) -> float:
    """Variance of the four-neighbour Laplacian inside the image; larger is sharper. 0 for a tiny image."""
    inner = gray[1:-1, 1:-1]
    if inner.size == 0:
        return 0.0
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * inner
    return float(laplacian.var(dtype=np.float64))


def pose_problem(T_raw_cam: Float[np.ndarray, "4 4"], tol: float = 1e-3) -> str:
    """Why a pose cannot be used; empty when it can."""
    if not np.isfinite(T_raw_cam).all():
        return "lost tracking: the pose is not finite"
    if not is_rigid(T_raw_cam, tol):
        return f"the pose is not rigid within {tol:g}"
    return ""


def quality_problem(quality: Quality, config: ExtractConfig) -> str:
    """Why a frame of this quality is dropped; empty when it is kept."""
    if quality.depth_valid_share < config.min_depth_valid_share:
        share, least = quality.depth_valid_share, config.min_depth_valid_share
        return f"little depth: {share:.2f} of the pixels, under {least:g}"
    if quality.exposure < config.min_exposure:
        return f"too dark: mean grey {quality.exposure:.3f}, under {config.min_exposure:g}"
    if quality.exposure > config.max_exposure:
        return f"too bright: mean grey {quality.exposure:.3f}, over {config.max_exposure:g}"
    if quality.blur < config.min_blur:
        return f"blurred: sharpness {quality.blur:.1f}, under {config.min_blur:g}"
    return ""
