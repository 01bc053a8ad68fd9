"""2D boxes and masks of an object, in one view or several, to an oriented 3D box with a confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from vantage.core.errors import ScanError
from vantage.geometry.boxes import OrientedBox
from vantage.lift.box_settings import BoxSettings
from vantage.lift.confidence import Evidence, confidence_of, extent_seen
from vantage.lift.depth_surface import DepthSurface, hidden_border
from vantage.lift.fit_box import Fit, fit_box
from vantage.lift.foreground import foreground
from vantage.lift.merged_points import agreed, dense, main_parts, thinned
from vantage.lift.region import Region

Sighting = tuple[DepthSurface, Region]
"""One view of the object: its depth image, and what the object covers there."""


@dataclass(frozen=True, eq=False)
class LiftedBox:
    """An object's box in the world of the views, or why there is none.

    Attributes:
        box: None where there is none.
        reason: why; empty with a box.
        confidence: the 3D IoU to expect of the box, 0 to 1; 0 without a box. See `lift.confidence`.
        thin_axes: the box's own axes whose edge is only the stated least thickness.
        evidence: the raw counts behind box and confidence.
    """

    box: OrientedBox | None
    reason: str
    confidence: float
    thin_axes: tuple[int, ...]
    evidence: Evidence


def lift_object(
    sightings: Sequence[Sighting], settings: BoxSettings | None = None, fit: Fit = "upright"
) -> LiftedBox:
    """The box of one object from all its views together.

    Bad evidence (no depth, too few points, views that contradict each other) gives no box but the reason.
    Raises ScanError without a view, or for a mask of another size than its colour camera.
    """
    settings = settings or BoxSettings()
    if not sightings:
        raise ScanError("no view of the object", expected="at least one view", found="none")
    for surface, region in sightings:
        _require_size(surface, region)
    seen = [foreground(surface, region, settings) for surface, region in sightings]
    points = np.concatenate([s.xyz_world[use] for (s, _), use in zip(sightings, seen, strict=True)])
    view = np.repeat(np.arange(len(seen)), [int(use.sum()) for use in seen])
    counts = _counts(sightings, seen, settings)
    if len(points) < settings.min_points:
        return _refused(counts, _too_few(counts, settings))
    keep = np.ones(len(points), dtype=bool) if len(seen) == 1 else agreed(points, sightings, settings)
    counts["contradicted"] = len(points) - int(keep.sum())
    if keep.sum() < settings.min_points:
        return _refused(counts, f"the views contradict each other: {keep.sum()} points are left")
    points, view = points[keep], view[keep]

    thin, cube = thinned(points, settings.voxel_m)
    # Each view has one vote, shared by its points, lest a near view outvote the others.
    votes = np.bincount(cube, 1.0 / np.bincount(view)[view], len(thin))
    good = main_parts(thin, votes, settings)
    good[good] = dense(thin[good], settings)
    counts |= {"thinned": len(thin), "trimmed": len(thin) - int(good.sum())}
    kept = points[good[cube]]
    counts["points"] = len(kept)
    if len(kept) < settings.min_points:
        return _refused(counts, f"outliers alone: {len(kept)} points are left of {len(points)}")
    box = fit_box(thin[good], fit, settings.tail_share, settings.min_edge_m)
    places = [surface.T_world_cam[:3, 3] for surface, _ in sightings]
    evidence = Evidence(**counts, extent_seen=extent_seen(box, places))
    thin_axes = tuple(np.flatnonzero(box.size <= settings.min_edge_m).tolist())
    return LiftedBox(box, "", confidence_of(evidence, box), thin_axes, evidence)


def _require_size(surface: DepthSurface, region: Region) -> None:
    camera = surface.color_camera
    if region.mask is not None and region.mask.shape != (camera.height, camera.width):
        expected = f"{camera.width}x{camera.height}"
        found = f"{region.mask.shape[1]}x{region.mask.shape[0]}"
        raise ScanError("a mask of another size than the colour image", expected=expected, found=found)


def _counts(
    sightings: Sequence[Sighting], seen: Sequence[Bool[np.ndarray, "h w"]], settings: BoxSettings
) -> dict[str, Any]:
    pixels = measured = flying = background = 0
    hidden = [hidden_border(s, use, settings) for (s, _), use in zip(sightings, seen, strict=True)]
    for (surface, region), use in zip(sightings, seen, strict=True):
        mine = region.contains(surface.uv)
        pixels += int(mine.sum())
        measured += int((mine & surface.measured).sum())
        flying += int((mine & surface.flying).sum())
        background += int((mine & (surface.depth > 0) & ~use).sum())
    return {
        "views": len(sightings), "bare_boxes": sum(region.mask is None for _, region in sightings),
        "pixels": pixels, "measured": measured, "flying": flying, "background": background,
        "hidden_border": min(hidden),
        "sides_cut": min(region.sides_cut(surface.color_camera) for surface, region in sightings),
    }  # fmt: skip


def _too_few(counts: dict[str, Any], settings: BoxSettings) -> str:
    if not counts["pixels"]:
        return "the depth camera does not reach the region"
    if not counts["measured"]:
        return f"no depth in the region: {counts['pixels']} pixels, all holes"
    used = counts["measured"] - counts["flying"] - counts["background"]
    return f"too few points: {used}, at least {settings.min_points} are needed"


def _refused(counts: dict[str, Any], reason: str) -> LiftedBox:
    return LiftedBox(None, reason, 0.0, (), Evidence(**counts))
