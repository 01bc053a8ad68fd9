"""Whether two models differ on the same items beyond chance, and which difference could have been seen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64, Int64

ALPHA = 0.05
"""Chance of finding a difference where there is none."""
POWER = 0.8
"""Chance of finding the difference that is called detectable."""

_SIGMAS = 8.0  # counts further from their mean carry less than 1e-14
_CLOSE = 5e-5  # of a share: half a hundredth of a point
_CERTAIN = 1 - 1e-12  # rounding must not decide where p is alpha

Key = TypeVar("Key", bound=Hashable)
Pair = tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]
"""What two models scored, 0 or 1, on the same items."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n items.

    Attributes:
        n: items.
        ours_only, theirs_only: items that only the one, only the other answered right.
        p: of McNemar's exact test, two-sided.
        p_holm: p corrected for all comparisons that were made together.
        detectable_points: the smallest difference that n items find with a power of 0.8 at 0.05, percentage
            points; None where no difference could be found.
    """

    n: int
    ours_only: int
    theirs_only: int
    p: float
    p_holm: float
    detectable_points: float | None

    def record(self) -> dict[str, Any]:
        """JSON-able: p to three digits, points to three decimals."""
        found = self.detectable_points
        return {
            **vars(self),
            "p": float(f"{self.p:.3g}"),
            "p_holm": float(f"{self.p_holm:.3g}"),
            "detectable_points": None if found is None else round(found, 3),
        }


def compare(pairs: Mapping[Key, Pair]) -> dict[Key, Comparison]:
    """Every pair by itself, and Holm's correction over all of them.

    Raises:
        ValueError: scores that are not 0 or 1, or of different lengths.
    """
    counts = {key: discordant(*pair) for key, pair in pairs.items()}
    p_values = {key: mcnemar(*only) for key, only in counts.items()}
    corrected = holm(p_values)
    return {
        key: Comparison(
            n=len(pairs[key][0]),
            ours_only=ours,
            theirs_only=theirs,
            p=p_values[key],
            p_holm=corrected[key],
            detectable_points=detectable_points(len(pairs[key][0]), ours + theirs),
        )
        for key, (ours, theirs) in counts.items()
    }


def discordant(ours: Float64[np.ndarray, " n"], theirs: Float64[np.ndarray, " m"]) -> tuple[int, int]:
    """Items that only `ours` has right, and only `theirs`; both hold 0 or 1 for each item."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} scores against {len(theirs)}")
    if not (np.isin(ours, (0, 1)).all() and np.isin(theirs, (0, 1)).all()):
        raise ValueError("McNemar's test compares right with wrong: scores must be 0 or 1")
    return int((ours > theirs).sum()), int((ours < theirs).sum())


def mcnemar(ours_only: int, theirs_only: int) -> float:
    """Two-sided p of the exact test: the items that only one has right fall to either like a fair coin.

    Source: Q. McNemar, Psychometrika 12, 1947; exact as the binomial test of the discordant pairs.
    """
    from scipy.special import bdtr

    few, n = min(ours_only, theirs_only), ours_only + theirs_only
    if few < 0:
        raise ValueError(f"{ours_only} and {theirs_only} items")
    return 1.0 if n == 0 else min(1.0, 2 * float(bdtr(few, n, 0.5)))


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """p values corrected so that the chance of any false finding among them stays below alpha.

    The i-th smallest of k is multiplied by k - i + 1 and is never below a smaller one's.
    Source: S. Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    corrected: dict[Key, float] = {}
    least, k = 0.0, len(p_values)
    for i, (key, p) in enumerate(sorted(p_values.items(), key=lambda entry: entry[1])):
        least = max(least, min(1.0, (k - i) * p))
        corrected[key] = least
    return {key: corrected[key] for key in p_values}


def detectable_points(n: int, differing: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest true difference (points) that McNemar's exact test finds in n paired items with `power`.

    Args:
        n: items.
        differing: items on which the two models were seen to differ. A difference larger than their share
            needs more of them: then as many are assumed as the difference itself makes, all one way.
        alpha: two-sided level.
        power: chance that p <= alpha.

    Returns:
        None if not even a difference of 100 points would be found.
    """
    if not 0 <= differing <= n:
        raise ValueError(f"{differing} of {n} items")

    def found(share: float) -> bool:
        return _power(n, max(share, differing / n), share, alpha) >= power

    if n == 0 or not found(1.0):
        return None
    low, high = 0.0, 1.0
    while high - low > _CLOSE:
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return 100 * high


def _power(n: int, differing: float, gain: float, alpha: float) -> float:
    """Chance of p <= alpha if a share `differing` of n items differs, and ours is ahead by a share `gain`."""
    from scipy.special import bdtr

    spread = _SIGMAS * np.sqrt(n * differing * (1 - differing)) + 1
    first, last = max(0, int(n * differing - spread)), min(n, int(n * differing + spread) + 1)
    m = np.arange(first, last + 1)
    chance = bdtr(m, n, differing) - np.where(m > 0, bdtr(np.maximum(m - 1, 0), n, differing), 0.0)
    rejected = _rejected(m, alpha)
    ours = (differing + gain) / (2 * differing)
    either = bdtr(rejected, m, ours) + bdtr(rejected, m, 1 - ours)
    return float((chance * np.where(rejected >= 0, either, 0.0)).sum())


def _rejected(m: Int64[np.ndarray, " m"], alpha: float) -> Int64[np.ndarray, " m"]:
    """For each number of differing items, how many at most one side may have for p <= alpha; -1 for none."""
    from scipy.special import bdtr, bdtrik

    with np.errstate(invalid="ignore"):
        start = np.nan_to_num(bdtrik(alpha / 2, m, 0.5), nan=-1.0)
    k = np.floor(start).astype(np.int64) + 1
    for _ in range(3):
        too_many = (k >= 0) & (2 * bdtr(np.maximum(k, 0), m, 0.5) * _CERTAIN > alpha)
        k = np.where(too_many, k - 1, k)
    return np.asarray(np.maximum(k, -1), dtype=np.int64)


def shown_p(p: float) -> str:
    """For people: `p < 0.001` or `p = 0.012`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
