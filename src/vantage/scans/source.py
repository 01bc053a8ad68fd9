"""Opening a raw scan folder, whatever its layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.config import CaptureConfig
from vantage.scans.conventions import Convention
from vantage.scans.layouts import LAYOUTS
from vantage.scans.layouts.base import Layout, Reading
from vantage.scans.raw import RawScan


def open_scan(
    folder: Path, scan_id: str, stride: int, capture: CaptureConfig, require_depth: bool = True
) -> RawScan:
    """Cameras and frames of a raw scan folder, no image decoded.

    Every `stride`-th recorded frame is taken, counted before any is dropped. `capture` overlays what the
    layout says of itself. A frame without depth has a problem if depth is required. Raises ScanError when no
    layout, or more than one, fits the folder.
    """
    layout = layout_of(folder, scan_id)
    scan = layout.read(folder, scan_id, reading_of(layout, stride, capture, require_depth))
    if not capture.depth_units_per_m:
        return scan
    return replace(scan, depth_unit_m=1.0 / capture.depth_units_per_m)  # also over a scale that files carry


def convention_of(folder: Path, scan: RawScan, capture: CaptureConfig) -> Convention:
    """The convention that `open_scan` read a scan with, the depth scale of its own files included."""
    said = reading_of(layout_of(folder, folder.name), 1, capture).convention
    return replace(said, depth_units_per_m=float(f"{1.0 / scan.depth_unit_m:.9g}"))


def layout_of(folder: Path, scan_id: str) -> Layout:
    """The layout of a folder; ScanError when none or several recognise it. A `.sens` goes before all else."""
    found = matching(folder)
    if len(found) == 1:
        return found[0]
    known = "; ".join(f"{name}: {LAYOUTS.get(name).example}" for name in LAYOUTS.names())
    if not found:
        raise ScanError(
            "no frames in the scan's folder",
            where=scan_id,
            expected=f"one of the known layouts ({known})",
            found=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
        )
    raise ScanError(
        "the folder fits several layouts",
        where=scan_id,
        expected=f"one of the known layouts ({known})",
        found=", ".join(layout.name for layout in found),
        hint="Keep one recording in a folder.",
    )


def matching(folder: Path) -> list[Layout]:
    """The layouts that recognise a folder; where there is a `.sens`, that one alone."""
    found = [layout for name in LAYOUTS.names() if (layout := LAYOUTS.get(name)).recognises(folder)]
    return [layout for layout in found if layout.name == "scannet"] or found


def reading_of(layout: Layout, stride: int, capture: CaptureConfig, require_depth: bool = True) -> Reading:
    """The layout's own convention, overlaid by what the user said of the capture."""
    own = layout.convention
    said = replace(
        own,
        poses=own.poses if capture.poses == "layout" else capture.poses,
        camera_axes=own.camera_axes if capture.camera_axes == "layout" else capture.camera_axes,
        depth_units_per_m=capture.depth_units_per_m or own.depth_units_per_m,
        up=own.up if capture.up == "layout" else capture.up,
    )
    return Reading(
        stride=stride,
        convention=said,
        color_intrinsics=capture.color(),
        depth_intrinsics=capture.depth(),
        pose_delay_s=capture.pose_delay_s,
        require_depth=require_depth,
    )
