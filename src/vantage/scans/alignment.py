"""From the world as scanned to the aligned one: the recording's own axisAlignment, or the axis that is up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.geometry.transforms import compose
from vantage.scans.conventions import Up, level_rotation
from vantage.scans.scan_txt import axis_alignment, read_scan_txt
from vantage.scans.scannet import TXT, find


def recorded_alignment(raw_dir: Path, scan_id: str) -> Float64[np.ndarray, "4 4"] | None:
    """The axisAlignment of the scan's `.txt`; None where it has none."""
    txt = find(raw_dir, scan_id, TXT)
    return None if txt is None else axis_alignment(read_scan_txt(txt), txt.name)


def alignment(
    recorded: Float64[np.ndarray, "4 4"] | None, up: Up | None
) -> tuple[Float64[np.ndarray, "4 4"], str]:
    """`T_aligned_raw`, and what it rests on."""
    if recorded is not None:
        return recorded, "axisAlignment"
    if up in (None, "z"):
        return np.eye(4), "none: the world as scanned is taken as aligned"
    return compose(level_rotation(up), np.zeros(3)), f"{up} of the world as scanned is up"
