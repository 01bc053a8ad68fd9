"""From the world as scanned to the aligned one: the recording's own axisAlignment, or the axis that is up
and the floor that is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.geometry.transforms import compose
from vantage.scans.conventions import Up, level_rotation
from vantage.scans.scan_txt import axis_alignment, read_scan_txt
from vantage.scans.scannet import TXT, find

#: A floor nearer to z = 0 is where it should be: a world that somebody aligned stays as it is.
ON_THE_FLOOR_M = 0.05


def recorded_alignment(raw_dir: Path, scan_id: str) -> Float64[np.ndarray, "4 4"] | None:
    """The axisAlignment of the scan's `.txt`; None where it has none."""
    txt = find(raw_dir, scan_id, TXT)
    return None if txt is None else axis_alignment(read_scan_txt(txt), txt.name)


def alignment(
    recorded: Float64[np.ndarray, "4 4"] | None, up: Up | None, floor_m: float | None = None
) -> tuple[Float64[np.ndarray, "4 4"], str]:
    """`T_aligned_raw`, and what it rests on.

    Without a recorded axisAlignment the axis `up` becomes z, and the floor z = 0: `floor_m` is its height (m)
    along that axis, None where no floor was seen.
    """
    if recorded is not None:
        return recorded, "axisAlignment"
    rests_on = f"{up} of the world as scanned is up"
    if up in (None, "z"):
        up, rests_on = "z", "none: the world as scanned is taken as aligned"
    if floor_m is None or abs(floor_m) < ON_THE_FLOOR_M:
        return compose(level_rotation(up), np.zeros(3)), rests_on
    return compose(level_rotation(up), np.array([0.0, 0.0, -floor_m])), f"{rests_on}; floor found"
