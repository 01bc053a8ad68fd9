"""What a picture of an examination shows: the pair that agrees least, and how colour lies on depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.figures.capture import CaptureCard
from vantage.geometry.transforms import Matrix4, apply
from vantage.scans.codecs import decode_color
from vantage.scans.diagnosis.colour import depth_edges
from vantage.scans.diagnosis.examine import POINTS, Claim, Examination
from vantage.scans.diagnosis.hypotheses import hypothesis_of
from vantage.scans.diagnosis.measure import TOLERANCE, look_up
from vantage.scans.diagnosis.report import poses_text
from vantage.scans.diagnosis.views import View, Views
from vantage.scans.pixels import read_bytes
from vantage.scans.raw import RawScan


def card_of(raw_dir: Path, scan: RawScan, claim: Claim, found: Examination) -> CaptureCard | None:
    """The pair of median share; None where nothing was compared or an image cannot be read again."""
    if not found.poses.pairs:
        return None
    pair = sorted(found.poses.pairs, key=lambda p: p.share)[len(found.poses.pairs) // 2]
    views, by_id = Views(raw_dir, scan, POINTS), {frame.frame_id: frame for frame in scan.frames}
    first, second = views.of(by_id[pair.first]), views.of(by_id[pair.second])
    if first is None or second is None:
        return None
    best = hypothesis_of(found.poses.best)
    stored = [claim.convention.stored(view.frame.T_raw_cam) for view in (first, second)]
    color = scan.color.with_intrinsics(first.frame.color_intrinsics)
    edges = depth_edges(first)
    uv = edges * (color.fx, color.fy) + (color.cx, color.cy)
    ref, shape = first.frame.color, (color.height, color.width)
    data = read_bytes(raw_dir, ref)
    return CaptureCard(
        title=poses_text(found.poses),
        first=pair.first,
        second=pair.second,
        share=pair.share,
        color=decode_color(data, ref.encoding, shape, f"frame {pair.first}, {ref.file}"),
        edges_px=uv[color.inside(uv)],
        off=_off(first, second, best.T_j_i(*stored), found.poses.best.depth_units_per_m),
        tolerance=TOLERANCE,
    )


def _off(first: View, second: View, T: Matrix4, units: float) -> Float64[np.ndarray, "h w"]:
    """For each pixel of the first view: predicted over measured depth in the second, less 1; NaN for none."""
    v, u = np.nonzero(first.depth)
    p = first.camera.backproject(np.stack([u, v], axis=1).astype(np.float64), first.depth[v, u] / units)
    z, measured = look_up(apply(T, p), second.camera, second.depth)
    seen = measured > 0
    off = np.full(first.depth.shape, np.nan)
    off[v[seen], u[seen]] = z[seen] * units / measured[seen] - 1
    return off
