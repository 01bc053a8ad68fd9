"""Poses stamped too early or too late: the offset at which frames agree best, if the motion shows it.

A camera in steady motion hides an offset, as both poses of a pair then err alike; changes of speed and
direction show it. The sign is that of `extract.capture.pose_delay_s`: seconds added to time stamps of poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from vantage.geometry.transforms import Matrix4, compose, invert
from vantage.scans.diagnosis.measure import tally
from vantage.scans.diagnosis.views import View

#: By how much the share has to fall away from the best offset on both sides.
_CLEAR = 0.04
#: An offset explains disagreement when it leaves this share of it at most, and this agreement at least.
_LEFT, _GOOD = 0.6, 0.9
_STEPS = 20
_MOST_S = 0.5


@dataclass(frozen=True)
class Delay:
    """What time stamps show.

    Attributes:
        seen: whether the offset can be told.
        delay_s: seconds to add to the time stamps of poses; 0 where they fit, or nothing is seen.
        share: mean share of agreeing points with that offset.
        share_without: the same without it.
        why_not: why no offset can be told.
    """

    seen: bool
    delay_s: float = 0.0
    share: float = 0.0
    share_without: float = 0.0
    why_not: str = ""


class Track:
    """Poses between recorded ones: positions on a line, rotations about a fixed axis."""

    def __init__(self, times_s: Float64[np.ndarray, "n"], T_world_cams: Float64[np.ndarray, "n 4 4"]) -> None:
        from scipy.spatial.transform import Rotation, Slerp

        self._times, self._at = times_s, T_world_cams[:, :3, 3]
        self._turn = Slerp(times_s, Rotation.from_matrix(T_world_cams[:, :3, :3]))

    def covers(self, time_s: float) -> bool:
        """Whether a pose can be told for a time."""
        return bool(self._times[0] <= time_s <= self._times[-1])

    def pose(self, time_s: float) -> Matrix4:
        """Camera to world at a time that is covered."""
        at = np.array([np.interp(time_s, self._times, self._at[:, k]) for k in range(3)])
        return compose(self._turn(time_s).as_matrix(), at)


def find_delay(
    views: Sequence[tuple[View, View]],
    times_s: Float64[np.ndarray, "n"],
    T_world_cams: Float64[np.ndarray, "n 4 4"],
    units_per_m: float,
) -> Delay:
    """The offset that suits pairs of views; poses are those of all frames, stamped as their images."""
    if len(times_s) < 4 or not np.any(times_s) or not np.all(np.diff(times_s) > 0):
        return Delay(False, why_not="no rising time stamps")
    reach = max(_MOST_S, 2 * float(np.median(np.diff(times_s))))
    track, coarse = Track(times_s, T_world_cams), np.linspace(-reach, reach, 2 * _STEPS + 1)
    inside = [p for p in views if all(_within(track, view, reach) for view in p)]
    if len(inside) < 3:
        return Delay(False, why_not="too few pairs away from the ends of the recording")
    shares = np.array([_share(inside, track, delay, units_per_m, thin=3) for delay in coarse])
    best = int(np.argmax(shares))
    fine = coarse[best] + np.linspace(-1, 1, 9) * reach / _STEPS
    fine = fine[np.abs(fine) <= reach]
    at_fine = np.array([_share(inside, track, delay, units_per_m) for delay in fine])
    delay, share = float(fine[np.argmax(at_fine)]), float(at_fine.max())
    without = _share(inside, track, 0.0, units_per_m)
    if min(shares[: best + 1].min(), shares[best:].min()) > share - _CLEAR or best in (0, len(coarse) - 1):
        return Delay(False, 0.0, without, without, "the motion is too slow or too steady")
    # Between noisy poses the noise averages out, before and after alike: that is no delay.
    smoothed = _share(inside, track, -delay, units_per_m) > without + 0.5 * (share - without)
    explains = share >= _GOOD and 1 - share <= _LEFT * (1 - without)
    if share < without + _CLEAR or smoothed or not explains:
        return Delay(True, 0.0, without, without)
    return Delay(True, delay, share, without)


def _within(track: Track, view: View, reach: float) -> bool:
    t = view.frame.timestamp_s
    return track.covers(t - reach) and track.covers(t + reach)


def _share(
    pairs: Sequence[tuple[View, View]], track: Track, delay_s: float, units_per_m: float, thin: int = 1
) -> float:
    """Mean share with the poses stamped later by a delay: an image then has the pose of so much before."""
    found = []
    for first, second in pairs:
        T_first, T_second = (track.pose(view.frame.timestamp_s - delay_s) for view in (first, second))
        counted = tally(first, second, invert(T_second) @ T_first, np.array([units_per_m]), thin)
        found.append(float(counted.share()[0]))
    return float(np.mean(found))
