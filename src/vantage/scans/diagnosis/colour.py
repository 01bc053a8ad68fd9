"""Whether colour lies on depth: where the edges of depth fall in the colour image, against where they should.

Colour and depth are taken to share centre and axes, so a depth pixel has one place in the colour image
whatever its depth. Where surface ends, colour mostly changes: the gradient of colour, summed over the places
of depth edges moved by a shift and stretched by a ratio of focal lengths, peaks where they meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_gray
from vantage.scans.diagnosis.views import View
from vantage.scans.pixels import read_bytes
from vantage.scans.raw import RawFrame, RawScan

SIDE_PX = 640
#: A shift (pixels of `SIDE_PX`) and a ratio beyond these are worth telling.
TELL_PX, TELL_RATIO = 3.0, 0.03
_REACH = 0.08
_RATIOS = np.exp(np.linspace(-0.18, 0.18, 37))
_JUMP, _GAP_PX, _LEAST_EDGES = 0.08, 6, 80
_SURE = 7.0


@dataclass(frozen=True)
class Registration:
    """How colour lies on depth.

    Attributes:
        dx_px, dy_px: colour features lie so many colour pixels right of and below where depth says.
        focal_ratio: measured focal length of colour (against that of depth) over the claimed one.
        sureness: height of the peak over the rest, in standard deviations of the rest.
        frames: images used.
        repeats: whether the one half of the images says the same as the other.
    """

    dx_px: float
    dy_px: float
    focal_ratio: float
    sureness: float
    frames: int
    repeats: bool

    @property
    def sure(self) -> bool:
        """Whether the peak stands out, and does so again in half of the images."""
        return self.sureness >= _SURE and self.repeats

    def off(self, color: Pinhole) -> bool:
        """Whether colour surely lies beside depth."""
        px = TELL_PX * max(1.0, max(color.width, color.height) / SIDE_PX)
        moved = np.hypot(self.dx_px, self.dy_px) > px
        return bool(self.sure and (moved or abs(np.log(self.focal_ratio)) > TELL_RATIO))

    def corrected(self, color: Pinhole) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy of the colour camera with which colour lies on depth."""
        return (
            round(color.fx * self.focal_ratio, 2),
            round(color.fy * self.focal_ratio, 2),
            round(color.cx + self.dx_px, 2),
            round(color.cy + self.dy_px, 2),
        )


def find_registration(raw_dir: Path, scan: RawScan, views: Sequence[View]) -> Registration | None:
    """Measure on several frames at once; None where no frame has colour and enough edges of depth."""
    scale = min(1.0, SIDE_PX / max(scan.color.width, scan.color.height))
    found = []
    for view in views:
        edges = depth_edges(view)
        if len(edges) < _LEAST_EDGES:
            continue
        try:
            gray = _gray(raw_dir, scan, view.frame)
        except ScanError:
            continue  # a frame of bad colour is reported where frames are judged
        small = scan.color.with_intrinsics(view.frame.color_intrinsics).resized(gray.shape[1], gray.shape[0])
        found.append(_scores(_gradient(gray), edges, small))
    if not found:
        return None
    even, odd = (sum(found[k::2], np.zeros_like(found[0])) for k in (0, 1))
    dx, dy, ratio, sureness = _peak(even + odd)
    halves = [_peak(half)[:3] for half in (even, odd)] if len(found) > 1 else []
    repeats = bool(halves) and all(
        float(np.hypot(x - dx, y - dy)) <= TELL_PX and abs(np.log(r / ratio)) <= TELL_RATIO
        for x, y, r in halves
    )
    return Registration(dx / scale, dy / scale, ratio, sureness, len(found), repeats)


def depth_edges(view: View) -> Float64[np.ndarray, "n 2"]:
    """Where depth jumps: x / z and y / z of the last pixel of the near surface, also across narrow holes."""
    z = view.depth.astype(np.float64)
    along, across = _jumps(z), _jumps(z.T)
    v = np.concatenate([along[:, 0], across[:, 1]])
    u = np.concatenate([along[:, 1], across[:, 0]])
    camera = view.camera
    return np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], axis=1)


def _jumps(z: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "n 2"]:
    """(row, column) half a pixel beyond the near side of each jump along the rows."""
    column = np.arange(z.shape[1])
    last = np.maximum.accumulate(np.where(z > 0, column, -1), axis=1)
    before = last[:, :-1]
    row, c = np.nonzero((z[:, 1:] > 0) & (before >= 0) & (column[1:] - before <= _GAP_PX))
    left, right = before[row, c], c + 1
    near = np.minimum(z[row, left], z[row, right])
    jump = np.abs(z[row, left] - z[row, right]) > _JUMP * near
    row, left, right = row[jump], left[jump], right[jump]
    at = np.where(z[row, left] < z[row, right], left + 0.5, right - 0.5)
    return np.stack([row.astype(np.float64), at], axis=1)


def _gray(raw_dir: Path, scan: RawScan, frame: RawFrame) -> Float32[np.ndarray, "h w"]:
    shape, where = (scan.color.height, scan.color.width), f"frame {frame.frame_id}, {frame.color.file}"
    return decode_gray(read_bytes(raw_dir, frame.color), frame.color.encoding, shape, where, SIDE_PX)


def _gradient(gray: Float32[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """Length of the gradient of the smoothed image, its tallest twentieth cut, with mean 0 and variance 1."""
    from scipy.ndimage import gaussian_gradient_magnitude

    length = gaussian_gradient_magnitude(gray.astype(np.float64), 1.0)
    length = np.minimum(length, np.quantile(length, 0.95))
    return np.asarray((length - length.mean()) / (length.std() + 1e-9))


def _scores(
    gradient: Float64[np.ndarray, "h w"], edges: Float64[np.ndarray, "n 2"], camera: Pinhole
) -> Float64[np.ndarray, "r s s"]:
    """Mean gradient at the edges for every ratio and shift (rows, columns), by correlation."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    reach = _reach(camera)
    height, width = (next_fast_len(n + 2 * reach) for n in gradient.shape)
    spectrum = rfft2(gradient, (height, width))
    window = np.arange(-reach, reach + 1)
    found = []
    for ratio in _RATIOS:
        u = np.floor(camera.fx * ratio * edges[:, 0] + camera.cx + 0.5).astype(np.intp)
        v = np.floor(camera.fy * ratio * edges[:, 1] + camera.cy + 0.5).astype(np.intp)
        inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        places = np.zeros((height, width))
        np.add.at(places, (v[inside], u[inside]), 1.0)
        shifted = irfft2(spectrum * np.conj(rfft2(places)), (height, width))
        found.append(shifted[np.ix_(window, window)] / max(1, len(edges)))
    return np.array(found)


def _reach(camera: Pinhole) -> int:
    return int(np.ceil(_REACH * max(camera.width, camera.height)))


def _peak(scores: Float64[np.ndarray, "r s s"]) -> tuple[float, float, float, float]:
    """Shift (columns, rows) and ratio of the highest score, and its height in deviations of the rest."""
    r, y, x = (int(k) for k in np.unravel_index(int(scores.argmax()), scores.shape))
    rest = float(np.median(scores))
    spread = 1.4826 * float(np.median(np.abs(scores - rest))) + 1e-9
    reach = scores.shape[1] // 2
    dx, dy = x + _vertex(scores[r, y], x) - reach, y + _vertex(scores[r, :, x], y) - reach
    return dx, dy, float(_RATIOS[r]), (float(scores[r, y, x]) - rest) / spread


def _vertex(line: Float64[np.ndarray, "s"], at: int) -> float:
    """How far beside its highest sample the parabola through the three nearest ones peaks."""
    if not 0 < at < len(line) - 1:
        return 0.0
    a, b, c = line[at - 1 : at + 2]
    bend = a - 2 * b + c
    return float(0.5 * (a - c) / bend) if bend < 0 else 0.0
