"""Two ways of doing the same work, timed in pairs: the ratio, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Seconds = Callable[[], float]
"""Does the work once and tells how long it took."""


@dataclass(frozen=True)
class Ratio:
    """Median ratio of pairs, with a bootstrap interval of 95 %.

    Attributes:
        median, low, high: of the second way's time over the first's.
        first_s, second_s: median seconds of each way.
    """

    median: float
    low: float
    high: float
    first_s: float
    second_s: float

    def __str__(self) -> str:
        return f"x{self.median:.3f} (95 % interval {self.low:.3f} to {self.high:.3f})"


def ratio(first: Seconds, second: Seconds, pairs: int, warm_up: int = 1) -> Ratio:
    """Time `second` against `first` in `pairs` pairs.

    The two of a pair run one after the other, so that both see the machine in the same state, and every other
    pair begins with the second, so that neither always finds the caches of the other.
    """
    for _ in range(warm_up):
        first(), second()
    times = np.empty((pairs, 2))
    for row, pair in enumerate(times):
        if row % 2:
            pair[1], pair[0] = second(), first()
        else:
            pair[0], pair[1] = first(), second()
    ratios = times[:, 1] / times[:, 0]
    draws = np.random.default_rng(0).integers(0, pairs, (4000, pairs))
    low, high = np.quantile(np.median(ratios[draws], axis=1), (0.025, 0.975))
    first_s, second_s = np.median(times, axis=0)
    return Ratio(float(np.median(ratios)), float(low), float(high), float(first_s), float(second_s))
