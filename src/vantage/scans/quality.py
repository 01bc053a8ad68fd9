"""Whether a frame is fit for use: pose, depth coverage, sharpness, exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from vantage.geometry.transforms import invert, is_rigid
from vantage.scans.config import ExtractConfig

#: Longest side (pixels) at which sharpness is measured, so that one threshold fits every resolution.
BLUR_SIDE_PX = 320


@dataclass(frozen=True)
class Quality:
    """Measures of a frame: share of depth pixels measured, variance of the Laplacian, mean grey in 0 to 1."""

    depth_valid_share: float
    blur: float
    exposure: float


def measure(gray: Float32[np.ndarray, "h w"], depth: Float32[np.ndarray, "H W"] | None) -> Quality:
    """Measure a frame by its grey image (0 to 255, `codecs.decode_gray`) and its depth (metres, holes 0)."""
    return Quality(
        depth_valid_share=0.0 if depth is None else float(np.count_nonzero(depth) / depth.size),
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


def motion(T_raw_a: Float[np.ndarray, "4 4"], T_raw_b: Float[np.ndarray, "4 4"]) -> tuple[float, float]:
    """How far (m) and by what angle (rad, 0 to pi) a camera moved from pose a to pose b, both rigid."""
    T_a_b = invert(T_raw_a) @ T_raw_b
    R, t = T_a_b[:3, :3], T_a_b[:3, 3]
    # atan2 of sine and cosine keeps small angles exact, where the arc cosine of the trace does not.
    sine = math.hypot(R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]) / 2
    return float(np.linalg.norm(t)), math.atan2(sine, (float(np.trace(R)) - 1) / 2)


def jump_problem(jump: tuple[float, float], config: ExtractConfig) -> str:
    """Why a frame that the camera cannot have reached is dropped; empty when it is kept."""
    metres, radians = jump
    if config.max_jump_m and metres > config.max_jump_m:
        return f"a jump of the pose: {metres:.2f} m from the frame before, over {config.max_jump_m:g} m"
    if config.max_jump_deg and math.degrees(radians) > config.max_jump_deg:
        return f"a jump of the pose: {math.degrees(radians):.0f} deg, over {config.max_jump_deg:g} deg"
    return ""


def quality_problem(quality: Quality, config: ExtractConfig) -> str:
    """Why a frame of this quality is dropped; empty when it is kept."""
    if config.require_depth and quality.depth_valid_share < config.min_depth_valid_share:
        share, least = quality.depth_valid_share, config.min_depth_valid_share
        return f"little depth: {share:.2f} of the pixels, under {least:g}"
    if quality.exposure < config.min_exposure:
        return f"too dark: mean grey {quality.exposure:.3f}, under {config.min_exposure:g}"
    if quality.exposure > config.max_exposure:
        return f"too bright: mean grey {quality.exposure:.3f}, over {config.max_exposure:g}"
    if quality.blur < config.min_blur:
        return f"blurred: sharpness {quality.blur:.1f}, under {config.min_blur:g}"
    return ""
