"""The examination in small, of every scan that is extracted: a few pairs of its frames."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.records.capture import Capture
from vantage.scans.diagnosis.examine import (
    Claim,
    Setting,
    gravity_of,
    pose_settings,
    read_pairs,
    up_setting,
    world_poses,
)
from vantage.scans.diagnosis.report import poses_text
from vantage.scans.diagnosis.verdict import PoseFinding, judge_poses
from vantage.scans.diagnosis.views import Views, usable
from vantage.scans.raw import RawScan

#: At most twice as many depth images are decoded, once more than extraction does.
PAIRS, POINTS = 4, 600


@dataclass(frozen=True)
class Checked:
    """The record of the check, and the height (m) of the floor along the axis claimed to be up.

    `floor_m` is None where no floor is seen, or a recorded axisAlignment tells it.
    """

    capture: Capture
    floor_m: float | None = None


def check_capture(raw_dir: Path, scan: RawScan, kept: Container[int], claim: Claim) -> Checked:
    """Judge what is claimed of a scan by a few pairs of its kept frames (by id).

    Another convention is named only when it is sure. Gravity is looked at where no axisAlignment is recorded.
    """
    frames = [frame for frame in usable(scan) if frame.frame_id in kept]
    views = Views(raw_dir, scan, POINTS)
    pairs = read_pairs(frames, views, claim.convention, PAIRS, ())
    found = judge_poses(pairs, claim.convention, thorough=False)
    if found.verdict == "other" and found.certainty != "sure":
        found = replace(found, verdict="cannot_tell")
    settings: dict[str, Setting] = pose_settings(found)
    if claim.T_aligned_raw is not None or found.verdict not in ("fits", "other"):
        return Checked(_record(found, settings))
    T_world_cams = world_poses(frames, claim.convention, found.best)
    gravity = gravity_of(views.all(), frames, T_world_cams, found.best)
    settings |= up_setting(found, claim, gravity)
    floor_m = None if gravity is None else gravity.floor_along(claim.up, T_world_cams[:, :3, 3].mean(axis=0))
    return Checked(_record(found, settings), floor_m)


def _record(found: PoseFinding, settings: dict[str, Setting]) -> Capture:
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    return Capture(
        verdict=found.verdict,
        text=poses_text(found),
        share=round(found.share, 4),
        pairs=len(found.pairs),
        points=found.points,
        settings=values,
    )


def require_agreement(capture: Capture, least: float, scan_id: str) -> None:
    """Set the scan aside (ScanError) when its frames agree less than that under every convention."""
    if capture.verdict == "bad_poses" and capture.share < least:
        raise ScanError(
            "the poses are bad: frames that see the same surface do not agree under any convention",
            where=scan_id,
            expected=f"at least {least:.0%} of the points within 5 cm (extract.min_depth_agreement)",
            found=f"{capture.share:.0%} over {capture.pairs} pairs",
            hint="`vantage doctor scan` names the frames.",
        )
