"""SQA3D localisation's published rule and stricter ones, and whether stated uncertainties are true."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from vantage.evaluation.benchmarks.interface import Item, Variant
from vantage.evaluation.metrics.measure import Measure, mean_of, over

_POSITION_M = (("0.5m", 0.5), ("1m", 1.0))
_ROTATION_DEG = (("15deg", 15.0), ("30deg", 30.0))
_JOINT = (("0.5m_15deg", 0, 0), ("1m_30deg", 1, 1))
_LEVELS = np.linspace(0.1, 0.9, 9)

Hits = Bool[np.ndarray, "n 3 2"]
"""For each item, hypothesis and threshold, whether the error lies strictly below it."""


def errors(
    items: Sequence[Item[Any]], said: Sequence[Any]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Distances (m) and turns (deg, 0 to 180) between each hypothesis and the truth; infinite without one."""
    metres, degrees = np.full((len(items), 3), np.inf), np.full((len(items), 3), np.inf)
    for i, (item, guess) in enumerate(zip(items, said, strict=True)):
        if guess is not None:
            metres[i, : len(guess.xy)] = np.linalg.norm(guess.xy - item.content.xy, axis=1)
            off = np.abs(guess.headings - item.content.heading)
            degrees[i, : len(guess.headings)] = np.rad2deg(np.minimum(off, 2 * np.pi - off))
    return metres, degrees


def _hits(items: Sequence[Item[Any]], said: Sequence[Any]) -> tuple[Hits, Hits]:
    metres, degrees = errors(items, said)
    near = np.stack([metres < limit for _, limit in _POSITION_M], axis=2)
    turned = np.stack([degrees < limit for _, limit in _ROTATION_DEG], axis=2)
    return near, turned


def _rule(
    choose: Callable[[Hits], Bool[np.ndarray, "n 2"]],
) -> Callable[[Sequence[Item[Any]], Sequence[Any]], dict[str, Measure]]:
    def score(items: Sequence[Item[Any]], said: Sequence[Any]) -> dict[str, Measure]:
        hits = _hits(items, said)
        near, turned = choose(hits[0]), choose(hits[1])
        both = hits[0] & hits[1]  # columns: 0.5 m with 15 degrees, 1 m with 30
        found = {f"position@{name}": near[:, t] for t, (name, _) in enumerate(_POSITION_M)}
        found |= {f"rotation@{name}": turned[:, t] for t, (name, _) in enumerate(_ROTATION_DEG)}
        found |= {f"joint@{name}": near[:, p] & turned[:, r] for name, p, r in _JOINT}
        found |= {f"joint_same_rank@{name}": choose(both)[:, p] for name, p, _ in _JOINT}
        return {name: mean_of(values.astype(np.float64)) for name, values in found.items()}

    return score


def _calibration(items: Sequence[Item[Any]], said: Sequence[Any]) -> dict[str, Measure]:
    metres, degrees = errors(items, said)
    sigma_m = np.array([np.nan if g is None or g.sigma_m is None else g.sigma_m for g in said])
    sigma_rad = np.array([np.nan if g is None or g.sigma_rad is None else g.sigma_rad for g in said])
    place = metres[:, 0] / sigma_m
    turn = np.deg2rad(degrees[:, 0]) / sigma_rad
    return {**_coverage("position", _rayleigh(place)), **_coverage("rotation", _half_normal(turn))}


def _rayleigh(z: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The share of an isotropic normal distribution in the plane within z deviations; NaN stays."""
    return -np.expm1(-(z**2) / 2)


def _half_normal(z: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The share of a normal distribution within z deviations either way; NaN stays."""
    return np.array([math.erf(value / math.sqrt(2)) for value in z], dtype=np.float64)


def _coverage(name: str, inside: Float64[np.ndarray, " n"]) -> dict[str, Measure]:
    """How many truths lie in the region that should hold a share of them, `inside` being their shares."""
    stated = np.isfinite(inside)
    if not stated.any():
        return {}
    share = np.where(stated, inside, 1.0)
    found = {
        f"{name}_coverage@{level}": mean_of((share <= level).astype(np.float64), stated)
        for level in (0.5, 0.68, 0.95)
    }
    below = (share[:, None] <= _LEVELS) & stated[:, None]
    columns = np.concatenate([below, stated[:, None]], axis=1).astype(np.float64)

    def off(sums: np.ndarray) -> np.ndarray:
        share_below = over(sums[..., :-1], np.broadcast_to(sums[..., -1:], sums[..., :-1].shape))
        return np.asarray(np.abs(share_below - _LEVELS).mean(axis=-1))

    found[f"{name}_calibration_error"] = Measure(columns, off, None, int(stated.sum()))
    return found


VARIANTS: Mapping[str, Variant[Any, Any]] = {
    "best_of_3": Variant(
        "official: of up to three, the best place and, apart from it, the best heading; strictly below",
        _rule(lambda hits: np.asarray(hits.any(axis=1))),
    ),
    "top1": Variant(
        "the first place and the first heading only; strictly below", _rule(lambda hits: hits[:, 0])
    ),
    "calibration": Variant(
        "ours: how many truths lie within what sigma_m and sigma_rad of the first guess say",
        _calibration,
    ),
}
