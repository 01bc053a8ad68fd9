"""Intervals: Wilson's for a share, a paired bootstrap over rooms for the difference of two arms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Score:
    """A share in per cent with its 95 % interval over `n` questions."""

    percent: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Gain:
    """A paired difference in percentage points with its 95 % interval over `rooms` rooms."""

    points: float
    low: float
    high: float
    n: int
    rooms: int


def wilson(successes: int, n: int, z: float = Z95) -> Score:
    """Wilson's score interval of a share, in per cent.

    With no questions nothing is known: 0 with the interval 0..100.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return Score(0.0, 0.0, 100.0, 0)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Score(100 * share, 100 * low, 100 * high, n)


def paired_gain(
    scores: Float64[np.ndarray, " n"],
    baseline: Float64[np.ndarray, " n"],
    rooms: Shaped[np.ndarray, " n"],
    generator: np.random.Generator,
    resamples: int = 2000,
) -> Gain:
    """Mean of `scores - baseline` (0..1 each, the same questions) in points, with a 95 % percentile interval.

    Rooms, not questions, are drawn with replacement: questions of one room share its objects and views, so
    they are not independent. With fewer than two rooms the interval is the widest there is.
    Source: the cluster bootstrap of Davison and Hinkley, "Bootstrap Methods and their Application", 3.8.
    """
    if not len(scores) == len(baseline) == len(rooms):
        raise ValueError(f"{len(scores)} scores, {len(baseline)} of the baseline, {len(rooms)} rooms")
    names, room_of = np.unique(rooms, return_inverse=True)
    n, k = len(scores), len(names)
    if n == 0:
        return Gain(0.0, -100.0, 100.0, 0, 0)
    total = np.bincount(room_of, weights=scores - baseline, minlength=k)
    asked = np.bincount(room_of, minlength=k).astype(np.float64)
    points = 100 * float(total.sum() / n)
    if k < 2:
        return Gain(points, -100.0, 100.0, n, k)
    drawn = generator.multinomial(k, np.full(k, 1 / k), size=resamples).astype(np.float64)
    means = (drawn @ total) / (drawn @ asked)
    low, high = np.quantile(means, [0.025, 0.975])
    return Gain(points, 100 * float(low), 100 * float(high), n, k)
