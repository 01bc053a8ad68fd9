"""Intervals: Wilson's for a share; a bootstrap over rooms for whatever is made of sums, paired gains too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from vantage.evaluation.metrics.measure import Measure

Z95 = 1.959963984540054
_DRAWS = 50_000  # counted at once: what the processor's cache holds


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
    sums = resampled_sums(np.stack([total, asked], axis=1), generator, resamples)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Gain(points, 100 * float(low), 100 * float(high), n, k)


def gain_between(
    scores: Float64[np.ndarray, " n"],
    rooms: Shaped[np.ndarray, " n"],
    others: Float64[np.ndarray, " m"],
    other_rooms: Shaped[np.ndarray, " m"],
    generator: np.random.Generator,
    resamples: int = 2000,
) -> Gain:
    """Share right of `scores` less that of `others` (0 or 1, other questions), points, with an interval.

    Rooms are drawn as in `paired_gain`, each with its questions of both kinds. Few questions that are all
    right do not vary in any draw, so neither end lies within that of Newcombe's interval, which knows of no
    rooms. `n` counts both. With fewer than two rooms of either kind the interval is the widest there is.
    """
    n, m = len(scores), len(others)
    names, room_of = np.unique(np.concatenate([rooms, other_rooms]), return_inverse=True)
    k = len(names)
    if not n or not m:
        return Gain(0.0, -100.0, 100.0, n + m, k)
    points = 100 * float(scores.mean() - others.mean())
    columns = np.zeros((k, 4))
    for column, part, values in ((0, room_of[:n], scores), (2, room_of[n:], others)):
        columns[:, column] = np.bincount(part, weights=values, minlength=k)
        columns[:, column + 1] = np.bincount(part, minlength=k)
    if min((columns[:, 1] > 0).sum(), (columns[:, 3] > 0).sum()) < 2:
        return Gain(points, -100.0, 100.0, n + m, k)
    sums = resampled_sums(columns, generator, resamples)
    sums = sums[(sums[:, 1] > 0) & (sums[:, 3] > 0)]
    drawn = 100 * np.quantile(sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3], [0.025, 0.975])
    low, high = newcombe(wilson(int(scores.sum()), n), wilson(int(others.sum()), m))
    return Gain(points, min(low, float(drawn[0])), max(high, float(drawn[1])), n + m, k)


def newcombe(first: Score, second: Score) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent shares, percentage points.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, 1998, method 10.
    """
    points = first.percent - second.percent
    below = math.hypot(first.percent - first.low, second.high - second.percent)
    above = math.hypot(first.high - first.percent, second.percent - second.low)
    return points - below, points + above


def resampled_sums(
    columns: Float64[np.ndarray, "n k"], generator: np.random.Generator, resamples: int
) -> Float64[np.ndarray, "{resamples} k"]:
    """Column sums of `resamples` samples of n rows, drawn with replacement.

    Each sample is a row of how often every row was drawn, and a matrix product sums them.
    """
    n, k = columns.shape
    sums = np.empty((resamples, k))
    at_once = max(1, _DRAWS // n)
    for start in range(0, resamples, at_once):
        m = min(at_once, resamples - start)
        drawn = generator.integers(0, n, size=(m, n)) + n * np.arange(m)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=m * n).reshape(m, n)
        sums[start : start + m] = counts.astype(np.float64) @ columns
    return sums


def bootstrap_intervals(
    measures: Sequence[Measure],
    clusters: Shaped[np.ndarray, " n"],
    generator: np.random.Generator,
    resamples: int,
) -> list[tuple[float, float] | None]:
    """The 95 % percentile interval of each measure; None where fewer than two clusters say anything about it.

    Args:
        measures: of the same n items.
        clusters: for each item, what it shares with others (its scene): clusters are drawn, not items.
        generator: of the draws, the same for all measures.
        resamples: number of draws.
    """
    names, cluster_of = np.unique(clusters, return_inverse=True)
    k = len(names)
    if k < 2 or not measures:
        return [None] * len(measures)
    columns = np.concatenate([measure.columns for measure in measures], axis=1)
    if k == len(columns):
        per_cluster = columns
    else:
        per_cluster = np.zeros((k, columns.shape[1]))
        np.add.at(per_cluster, cluster_of, columns)
    sums = resampled_sums(per_cluster, generator, resamples)
    found: list[tuple[float, float] | None] = []
    start = 0
    for measure in measures:
        width = measure.columns.shape[1]
        part = slice(start, start + width)
        start += width
        known = np.unique(cluster_of[measure.columns.any(axis=1)])
        values = measure.of_sums(sums[:, part])
        values = values[np.isfinite(values)]
        if len(known) < 2 or not len(values):
            found.append(None)
            continue
        low, high = np.quantile(values, [0.025, 0.975])
        found.append((float(low), float(high)))
    return found
