"""From fits to a verdict: the claimed convention, another one, bad poses, or nothing to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vantage.scans.conventions import Convention
from vantage.scans.diagnosis.hypotheses import HYPOTHESES, hypothesis_of
from vantage.scans.diagnosis.search import SAME, Fit, Pair, best_fits, compared, fits_at

Verdict = Literal["fits", "other", "bad_poses", "cannot_tell", "not_measured"]
"""What was found of poses and depth scale.

- `fits`: the claimed convention.
- `other`: another convention fits, and the claimed one does not.
- `bad_poses`: none fits; poses, intrinsics or time stamps are off.
- `cannot_tell`: frames agree, but under other hypotheses nearly as well: the camera hardly moved; or too few
  pairs share surface to call poses bad.
- `not_measured`: no two frames share enough measured surface.
"""

#: A convention fits when half of the pairs agree on this share of their points or more.
FITS = 0.75
#: A pair that agrees on less has a bad pose, where others fit.
OUTLIER = 0.5
_MOST_OUTLIERS = 0.2
#: Fewer pairs prove nothing against poses: one that shares little may disagree by what is hidden from it.
_FEW = 3
#: A lead over the next hypothesis of this makes sure; less than `SAME` tells nothing.
SURE, LIKELY = 0.15, 0.05
#: Another convention than the claimed one has to lead it by this.
_LEAD = 0.1


@dataclass(frozen=True)
class PairShare:
    """A pair by frame ids, and the share of its points that agree under the best hypothesis."""

    first: int
    second: int
    share: float
    points: int


@dataclass(frozen=True, eq=False)
class PoseFinding:
    """What pairs say of poses and depth scale.

    Attributes:
        verdict: in a word.
        claimed: the convention in question.
        best: the convention that fits best; of several alike, the nearest to the claimed one.
        fits: every hypothesis, the best first.
        alike: hypotheses besides the best that cannot be told from it.
        pairs: those that share enough surface, under the best hypothesis.
    """

    verdict: Verdict
    claimed: Convention
    best: Convention
    fits: tuple[Fit, ...] = ()
    alike: tuple[Fit, ...] = ()
    pairs: tuple[PairShare, ...] = ()

    @property
    def margin(self) -> float:
        """Lead in mean share over the best hypothesis that can be told from the best."""
        rest = [f.share for f in self.fits[1:] if f not in self.alike and f.hypothesis != self.top.hypothesis]
        return self.top.share - rest[0] if rest else 0.0

    @property
    def top(self) -> Fit:
        """The fit of `best`."""
        return next(f for f in self.fits if f.hypothesis == hypothesis_of(self.best))

    @property
    def share(self) -> float:
        """Of half of the pairs, at least this share of comparable points agrees within 5 cm."""
        return self.top.typical_5cm if self.fits else 0.0

    @property
    def points(self) -> int:
        """Points compared."""
        return sum(pair.points for pair in self.pairs)

    @property
    def outliers(self) -> tuple[PairShare, ...]:
        """Pairs that do not agree under the best hypothesis."""
        return tuple(pair for pair in self.pairs if pair.share < OUTLIER)

    @property
    def certainty(self) -> str:
        """How surely the best hypothesis is the right one, in words."""
        if not self.fits:
            return "not measured"
        if len(self.alike) == len(HYPOTHESES) - 1 or self.margin < LIKELY:
            return "cannot tell"
        return "sure" if self.margin >= SURE and len(self.pairs) >= _FEW else "likely"

    @property
    def scale_is_open(self) -> bool:
        """Whether the motion leaves the depth scale open."""
        return bool(self.fits) and self.top.high > 1.5 * self.top.low


def judge_poses(pairs: Sequence[Pair], claimed: Convention, thorough: bool) -> PoseFinding:
    """Judge a claimed convention by pairs of frames.

    Unless `thorough`, other scales are tried only when the claimed convention does not clearly fit.
    """
    if not pairs:
        return PoseFinding("not_measured", claimed, claimed)
    fits = fits_at(pairs, claimed)
    own = next(f for f in fits if f.hypothesis == hypothesis_of(claimed))
    clear = own is fits[0] and own.typical >= FITS + 0.1 and own.share - fits[1].share >= SURE
    if thorough or not clear:
        fits = best_fits(pairs, claimed)
    shared = compared(fits[0])
    if not shared.any():
        return PoseFinding("not_measured", claimed, claimed)
    fits = sorted((fit.over(shared) for fit in fits), key=lambda fit: -fit.share)
    return _judged(fits, [p for p, ok in zip(pairs, shared, strict=True) if ok], claimed)


def _judged(fits: list[Fit], pairs: Sequence[Pair], claimed: Convention) -> PoseFinding:
    tied = [fit for fit in fits if fit.share >= fits[0].share - SAME]
    top = min(tied, key=lambda fit: (_changes(fit, claimed), -fit.share))
    best = top.hypothesis.applied_to(_scaled(claimed, top.units_per_m))
    shares = tuple(
        PairShare(p.first.frame.frame_id, p.second.frame.frame_id, float(share), int(points))
        for p, share, points in zip(pairs, top.shares, top.points, strict=True)
    )
    alike = tuple(fit for fit in tied if fit is not top)
    own = next(fit for fit in fits if fit.hypothesis == hypothesis_of(claimed))
    lead = 0.0 if best == claimed else top.share - float(own.shares_claimed.mean())
    verdict = _verdict(top, len(alike), best == claimed, lead, shares)
    return PoseFinding(verdict, claimed, best, tuple(fits), alike, shares)


def _verdict(top: Fit, alike: int, own: bool, lead: float, pairs: Sequence[PairShare]) -> Verdict:
    outliers = sum(pair.share < OUTLIER for pair in pairs)
    if top.typical < FITS or outliers > _MOST_OUTLIERS * len(pairs):
        return "bad_poses" if len(pairs) >= _FEW else "cannot_tell"
    if alike == len(HYPOTHESES) - 1 or (not own and lead < _LEAD):
        return "cannot_tell"
    return "fits" if own else "other"


def _changes(fit: Fit, claimed: Convention) -> int:
    return (
        (fit.hypothesis.poses != claimed.poses)
        + (fit.hypothesis.camera_axes != claimed.camera_axes)
        + (fit.units_per_m != claimed.depth_units_per_m)
    )


def _scaled(convention: Convention, units_per_m: float) -> Convention:
    return replace(convention, depth_units_per_m=units_per_m)
