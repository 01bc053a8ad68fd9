"""Greedy maximum coverage of voxels or of objects, after Video-3D-LLM, with ties that priorities decide."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply
from vantage.geometry.voxels import voxel_keys

Keys = Int64[np.ndarray, "_"]
"""The distinct keys that a candidate covers: of voxels, of objects."""


@dataclass(frozen=True)
class Coverage:
    """A choice of views.

    Attributes:
        chosen: indices of the candidates, in the order of choice.
        gains: newly covered keys at each choice.
        total: keys that all candidates cover together.
    """

    chosen: list[int]
    gains: list[int]
    total: int


def frame_voxels(
    depth: Float32[np.ndarray, "h w"],
    camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    voxel_m: float,
    stride: int,
) -> Int64[np.ndarray, "n"]:
    """Sorted keys of the voxels (edge `voxel_m` metres, world of the pose) that a depth image (m) sees.

    Every `stride`-th row and column counts; holes (0, negative, not finite) do not.
    """
    first = min(stride, *depth.shape) // 2
    v, u = np.mgrid[first : depth.shape[0] : stride, first : depth.shape[1] : stride]
    z = depth[v, u]
    seen = (z > 0) & np.isfinite(z)
    pixels = np.stack([u[seen], v[seen]], axis=-1).astype(np.float64)
    p_world = apply(T_world_cam, camera.backproject(pixels, z[seen]))
    return np.unique(voxel_keys(p_world, voxel_m))


def greedy_coverage(
    covers: Sequence[Keys],
    views: int,
    priorities: Sequence[int],
    *,
    given: Sequence[int] = (),
    wanted: Iterable[int] = (),
    among: Iterable[int] | None = None,
) -> Coverage:
    """Choose up to `views` candidates, each time the one that covers most keys not covered yet.

    Equal gains go to the smaller priority, then to the earlier candidate. Once everything is covered the rest
    are chosen all the same, with gain 0, so that a scan with enough frames always has its number of views.

    A gain never grows as others are chosen, so the gains found earlier are bounds, and only the candidates
    whose bound comes first are counted again: the choice is that of counting them all.

    Args:
        covers: the keys of each candidate.
        views: how many, `given` among them.
        priorities: of each candidate, for ties.
        given: candidates chosen beforehand, in this order.
        wanted: keys that count before all others, however many: each of them is covered if any candidate
            has it and there are as many choices left as such keys. Fewer choices cover them greedily.
        among: the candidates to choose from; all if None. `total` counts the keys of all.
    """
    n = len(covers)
    if n != len(priorities):
        raise ValueError(f"{n} candidates, but {len(priorities)} priorities")
    known, left = _numbered(covers)
    # More than all other keys together.
    weight = np.where(np.isin(known, list(wanted)), 1 + len(known), 1)
    covered = np.zeros(len(known), dtype=bool)
    chosen: list[int] = []
    gains: list[int] = []

    def gain(i: int) -> int:
        left[i] = left[i][~covered[left[i]]]
        return int(weight[left[i]].sum())

    def take(i: int) -> None:
        gain(i)
        chosen.append(i)
        gains.append(len(left[i]))
        covered[left[i]] = True

    for i in given:
        take(i)
    rest = set(range(n) if among is None else among).difference(chosen)
    bounds = [(-gain(i), priorities[i], i) for i in rest] if len(chosen) < views else []
    heapq.heapify(bounds)
    while bounds and len(chosen) < views:
        _, priority, i = bounds[0]
        found = (-gain(i), priority, i)
        if found == bounds[0]:
            heapq.heappop(bounds)
            take(i)
        else:
            heapq.heapreplace(bounds, found)
    return Coverage(chosen, gains, len(known))


def _numbered(covers: Sequence[Keys]) -> tuple[Keys, list[Keys]]:
    """All distinct keys, and for each candidate the places of its own among them."""
    if not covers:
        return np.zeros(0, dtype=np.int64), []
    known, places = np.unique(np.concatenate(covers), return_inverse=True)
    ends = np.cumsum([len(keys) for keys in covers])
    return known, np.split(places, ends[:-1])
