"""For each hypothesis of poses: the depth scale that suits it best, and how well it then fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from vantage.geometry.transforms import Matrix4
from vantage.scans.conventions import Convention
from vantage.scans.diagnosis.hypotheses import HYPOTHESES, KNOWN_UNITS, Hypothesis
from vantage.scans.diagnosis.measure import ENOUGH, Tally, tally
from vantage.scans.diagnosis.views import View

#: Shares nearer than this are the same: scales within it are all possible, hypotheses not told apart.
SAME = 0.03
#: Every tenth more, from metres to a fiftieth of a millimetre.
_GRID = np.exp(np.arange(np.log(0.5), np.log(60_000.0), np.log(1.1)))
_FINE = np.exp(np.linspace(-0.12, 0.12, 25))
_COARSE_THIN = 3


@dataclass(frozen=True, eq=False)
class Pair:
    """Two views and their stored poses."""

    first: View
    second: View
    stored_first: Matrix4
    stored_second: Matrix4

    def tally(self, hypothesis: Hypothesis, units: Float64[np.ndarray, "s"], thin: int = 1) -> Tally:
        """How the two agree under a hypothesis at each scale."""
        T = hypothesis.T_j_i(self.stored_first, self.stored_second)
        return tally(self.first, self.second, T, units, thin)


@dataclass(frozen=True, eq=False)
class Fit:
    """A hypothesis at its best scale.

    Attributes:
        hypothesis: of the poses.
        units_per_m: a scale in use if one fits (the claimed one first), else the one measured.
        low, high: scales between which the fit is about the same.
        shares, shares_5cm: of each pair, the share of comparable points that agree within 2 % of their depth,
            within 5 cm.
        overlap: of each pair, the share of points that land on a measured pixel.
        points: of each pair, how many points were compared.
        shares_claimed: of each pair, the share at the claimed scale.
    """

    hypothesis: Hypothesis
    units_per_m: float
    low: float
    high: float
    shares: Float64[np.ndarray, "p"]
    shares_5cm: Float64[np.ndarray, "p"]
    overlap: Float64[np.ndarray, "p"]
    points: Float64[np.ndarray, "p"]
    shares_claimed: Float64[np.ndarray, "p"]

    @property
    def share(self) -> float:
        """Mean over the pairs; hypotheses are ranked by it."""
        return float(self.shares.mean()) if len(self.shares) else 0.0

    @property
    def typical(self) -> float:
        """Median over the pairs: a few pairs with a bad pose do not move it."""
        return float(np.median(self.shares)) if len(self.shares) else 0.0

    @property
    def typical_5cm(self) -> float:
        """Median over the pairs of the share within 5 cm."""
        return float(np.median(self.shares_5cm)) if len(self.shares_5cm) else 0.0

    def over(self, pairs: Bool[np.ndarray, "p"]) -> Fit:
        """The same of some of the pairs."""
        return replace(
            self,
            shares=self.shares[pairs],
            shares_5cm=self.shares_5cm[pairs],
            overlap=self.overlap[pairs],
            points=self.points[pairs],
            shares_claimed=self.shares_claimed[pairs],
        )


def fits_at(pairs: Sequence[Pair], claimed: Convention) -> list[Fit]:
    """Every hypothesis at the claimed scale, the best first: enough where the claimed one fits."""
    units = np.array([claimed.depth_units_per_m])
    found = [_measured(h, pairs, units, (float(units[0]), float(units[0]))) for h in HYPOTHESES]
    return sorted(found, key=lambda fit: -fit.share)


def best_fits(pairs: Sequence[Pair], claimed: Convention) -> list[Fit]:
    """Every hypothesis at the scale that suits it best, the best first."""
    return sorted((_fit(h, pairs, claimed.depth_units_per_m) for h in HYPOTHESES), key=lambda f: -f.share)


def compared(best: Fit) -> Bool[np.ndarray, "p"]:
    """Pairs that share enough surface under the best hypothesis to say something."""
    return np.asarray(best.overlap >= ENOUGH)


def _fit(hypothesis: Hypothesis, pairs: Sequence[Pair], claimed_units: float) -> Fit:
    coarse = _curve(hypothesis, pairs, _GRID, _COARSE_THIN)
    fine = _GRID[np.argmax(coarse)] * _FINE
    known = np.array([claimed_units, *KNOWN_UNITS])
    at_fine, at_known = np.split(_curve(hypothesis, pairs, np.concatenate([fine, known]), 1), [len(fine)])
    best = max(at_fine.max(), at_known.max())
    units = _chosen(fine, at_fine, known, at_known, best)
    return _measured(hypothesis, pairs, np.array([units, claimed_units]), _range(coarse, units))


def _curve(
    hypothesis: Hypothesis, pairs: Sequence[Pair], units: Float64[np.ndarray, "s"], thin: int
) -> Float64[np.ndarray, "s"]:
    return np.asarray(np.mean([pair.tally(hypothesis, units, thin).share() for pair in pairs], axis=0))


def _chosen(
    fine: Float64[np.ndarray, "f"],
    at_fine: Float64[np.ndarray, "f"],
    known: Float64[np.ndarray, "k"],
    at_known: Float64[np.ndarray, "k"],
    best: float,
) -> float:
    """A known scale that fits as well as any (the claimed one before others), or the middle of the peak."""
    if at_known[0] >= best - SAME:
        return float(known[0])
    if at_known.max() >= best - SAME:
        return float(known[np.argmax(at_known)])
    top = fine[at_fine >= at_fine.max() - 0.01]
    return float(np.exp(np.log(top).mean()))


def _range(coarse: Float64[np.ndarray, "s"], units: float) -> tuple[float, float]:
    """Scales about `units` at which the coarse curve is within `SAME` of its peak."""
    low = high = int(np.argmin(np.abs(np.log(_GRID / units))))
    least = coarse.max() - SAME
    while low > 0 and coarse[low - 1] >= least:
        low -= 1
    while high < len(_GRID) - 1 and coarse[high + 1] >= least:
        high += 1
    return min(units, float(_GRID[low])), max(units, float(_GRID[high]))


def _measured(
    hypothesis: Hypothesis,
    pairs: Sequence[Pair],
    units: Float64[np.ndarray, "s"],
    span: tuple[float, float],
) -> Fit:
    """The fit at the first of `units`; the last is the claimed scale."""
    tallies = [pair.tally(hypothesis, units) for pair in pairs]
    return Fit(
        hypothesis=hypothesis,
        units_per_m=float(units[0]),
        low=span[0],
        high=span[1],
        shares=np.array([t.share()[0] for t in tallies]),
        shares_5cm=np.array([t.share_5cm()[0] for t in tallies]),
        overlap=np.array([t.shared()[0] for t in tallies]),
        points=np.array([t.agreeing[0] + t.through[0] for t in tallies]),
        shares_claimed=np.array([t.share()[-1] for t in tallies]),
    )
