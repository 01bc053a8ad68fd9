"""Everything that is found out about a capture, and the parameters that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.progress import Progress
from vantage.scans.conventions import Convention, Up, axis_of
from vantage.scans.diagnosis.colour import Registration, find_registration
from vantage.scans.diagnosis.delay import Delay, find_delay
from vantage.scans.diagnosis.gravity import Gravity, find_gravity
from vantage.scans.diagnosis.pairs import choose_pairs, pairs_among, stray_poses
from vantage.scans.diagnosis.search import Pair
from vantage.scans.diagnosis.verdict import PoseFinding, judge_poses
from vantage.scans.diagnosis.views import View, Views, stored_poses, usable
from vantage.scans.raw import RawFrame, RawScan

Setting = str | float | tuple[float, ...]

POINTS = 1500
#: Up directions further from the axis than this are no axis of the world.
_NEAR_AXIS_DEG = 30.0


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found.

    Attributes:
        poses: of poses and depth scale.
        gravity: in the world of the best convention; None where too little is seen.
        tilt_deg: angle between up as claimed (the axisAlignment, or the axis) and as found; None without
            gravity.
        registration: of colour on depth; None where no frame shows it.
        delay: of poses against images.
        strays: frames whose pose lies far off both neighbours that lie near each other; look at them.
        unreadable: depth images that could not be read.
        settings: values of `extract.capture` to set, by name.
    """

    poses: PoseFinding
    gravity: Gravity | None
    tilt_deg: float | None
    registration: Registration | None
    delay: Delay
    strays: tuple[int, ...]
    unreadable: tuple[str, ...]
    settings: dict[str, Setting]

    @property
    def healthy(self) -> bool:
        """Whether the claimed convention fits and nothing has to be set."""
        return self.poses.verdict == "fits" and not self.settings


@dataclass(frozen=True, eq=False)
class Claim:
    """What is claimed of a capture.

    Attributes:
        convention: the one that the scan was read with.
        T_aligned_raw: the recording's own axisAlignment; None where it has none.
    """

    convention: Convention
    T_aligned_raw: Float64[np.ndarray, "4 4"] | None

    @property
    def up(self) -> Float64[np.ndarray, "3"]:
        """The direction taken for up in the raw world; z where nobody says."""
        if self.T_aligned_raw is not None:
            return self.T_aligned_raw[2, :3]
        return axis_of(self.convention.up or "z")


def examine(
    raw_dir: Path, scan: RawScan, claim: Claim, pairs: int, chosen: Sequence[int], progress: Progress
) -> Examination:
    """Compare up to `pairs` pairs of frames, or each frame of `chosen` (ids) with the next of them."""
    frames, views = usable(scan), Views(raw_dir, scan, POINTS)
    progress.step(0, 4, "reading pairs of frames")
    compared = read_pairs(frames, views, claim.convention, pairs, chosen)
    progress.step(1, 4, "poses and depth scale")
    found = judge_poses(compared, claim.convention, thorough=True)
    truth = found.best
    T_world_cams = world_poses(frames, claim.convention, truth)
    progress.step(2, 4, "time stamps and gravity")
    delay = _delay(found, compared, frames, T_world_cams)
    if delay.delay_s and found.verdict == "bad_poses":
        found = replace(found, verdict="other")
    gravity = gravity_of(views.all(), frames, T_world_cams, truth)
    progress.step(3, 4, "colour on depth")
    registration = find_registration(raw_dir, scan, views.all())
    progress.step(4, 4, "done")
    settings = pose_settings(found) | up_setting(found, claim, gravity)
    if registration is not None and registration.off(scan.color):
        settings["color_intrinsics"] = registration.corrected(scan.color)
    if delay.delay_s:
        settings["pose_delay_s"] = round(delay.delay_s, 3)
    return Examination(
        poses=found,
        gravity=gravity,
        tilt_deg=tilt(claim, gravity),
        registration=registration,
        delay=delay,
        strays=tuple(frames[k].frame_id for k in stray_poses(stored_poses(frames, claim.convention))),
        unreadable=tuple(views.unreadable),
        settings=settings,
    )


def read_pairs(
    frames: Sequence[RawFrame], views: Views, read_with: Convention, count: int, chosen: Sequence[int]
) -> list[Pair]:
    """Pairs of views; those with an unreadable image are left out."""
    stored = stored_poses(frames, read_with)
    ids = [frame.frame_id for frame in frames]
    places = pairs_among(ids, chosen) if chosen else choose_pairs(stored, count)
    found = []
    for i, j in places:
        first, second = views.of(frames[i]), views.of(frames[j])
        if first is not None and second is not None:
            found.append(Pair(first, second, stored[i], stored[j]))
    return found


def world_poses(
    frames: Sequence[RawFrame], read_with: Convention, truth: Convention
) -> Float64[np.ndarray, "n 4 4"]:
    """Camera to world of every frame under the convention that was found."""
    stored = stored_poses(frames, read_with)
    return np.array([truth.T_world_cam(pose) for pose in stored]).reshape(-1, 4, 4)


def gravity_of(
    views: Sequence[View],
    frames: Sequence[RawFrame],
    T_world_cams: Float64[np.ndarray, "n 4 4"],
    truth: Convention,
) -> Gravity | None:
    """Gravity from some views of the recording."""
    if not views:
        return None
    at = {frame.frame_id: k for k, frame in enumerate(frames)}
    own = T_world_cams[[at[view.frame.frame_id] for view in views]]
    return find_gravity(views, own, T_world_cams, 1.0 / truth.depth_units_per_m)


def pose_settings(found: PoseFinding) -> dict[str, Setting]:
    """Parameters for the best convention, where it is another one that fits."""
    if found.verdict != "other":
        return {}
    settings: dict[str, Setting] = {}
    if found.best.poses != found.claimed.poses:
        settings["poses"] = found.best.poses
    if found.best.camera_axes != found.claimed.camera_axes:
        settings["camera_axes"] = found.best.camera_axes
    if found.best.depth_units_per_m != found.claimed.depth_units_per_m:
        settings["depth_units_per_m"] = float(f"{found.best.depth_units_per_m:.5g}")
    return settings


def up_setting(found: PoseFinding, claim: Claim, gravity: Gravity | None) -> dict[str, Setting]:
    """The axis to set, where gravity surely lies along another one than claimed."""
    if claim.T_aligned_raw is not None or found.verdict in ("bad_poses", "not_measured"):
        return {}
    if gravity is None or not gravity.sure or gravity.off_deg > _NEAR_AXIS_DEG:
        return {}
    claimed: Up = claim.convention.up or "z"
    return {} if gravity.up == claimed else {"up": gravity.up}


def tilt(claim: Claim, gravity: Gravity | None) -> float | None:
    """Angle (degrees) between up as claimed and as found."""
    if gravity is None:
        return None
    return float(np.degrees(np.arccos(np.clip(claim.up @ gravity.direction, -1, 1))))


def _delay(
    found: PoseFinding,
    pairs: Sequence[Pair],
    frames: Sequence[RawFrame],
    T_world_cams: Float64[np.ndarray, "n 4 4"],
) -> Delay:
    times = np.array([frame.timestamp_s for frame in frames])
    views = [(pair.first, pair.second) for pair in pairs]
    return find_delay(views, times, T_world_cams, found.best.depth_units_per_m)
