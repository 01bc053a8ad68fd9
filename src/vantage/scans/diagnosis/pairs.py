"""Pairs of frames near enough to share surface whatever the convention, and far enough apart to tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

#: A pair that turns by this and moves by that has twice the motion looked for.
TURN_DEG, MOVE_M = 20.0, 0.5
#: Pairs with less than 0.4 (or more than 2.5) times the motion of the best pair tell little.
_NEARLY = float(np.log(2.5))
_GAPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def choose_pairs(stored: Float64[np.ndarray, "n 4 4"], count: int) -> list[tuple[int, int]]:
    """Up to `count` pairs of positions, spread over the recording.

    The angle between two stored poses is the same under every hypothesis; of the distances that the two pose
    directions claim, the smaller one counts, as neighbours in time are near each other under the true one.
    """
    first, second = _candidates(len(stored))
    if not len(first):
        return []
    cost = np.abs(np.log(np.maximum(motion_of(stored, first, second), 1e-3)))
    telling = cost <= cost.min() + _NEARLY
    first, second, cost = first[telling], second[telling], cost[telling]
    middle = (first + second) / 2
    chosen: list[int] = []
    for part in np.array_split(np.arange(len(stored)), min(count, len(stored))):
        inside = np.nonzero((middle >= part[0]) & (middle <= part[-1] + 0.5))[0]
        inside = inside[~np.isin(inside, chosen)]
        if len(inside):
            chosen.append(int(inside[np.argmin(cost[inside])]))
    order = [int(k) for k in np.argsort(cost, kind="stable") if k not in set(chosen)]
    chosen += order[: count - len(chosen)]
    return sorted((int(first[k]), int(second[k])) for k in chosen[:count])


def motion_of(
    stored: Float64[np.ndarray, "n 4 4"], first: np.ndarray, second: np.ndarray
) -> Float64[np.ndarray, "m"]:
    """Motion between pairs of poses: 1 for one of `TURN_DEG` or `MOVE_M`, their sum for both."""
    R_i, R_j = stored[first, :3, :3], stored[second, :3, :3]
    t_i, t_j = stored[first, :3, 3], stored[second, :3, 3]
    cosine = (np.einsum("nij,nij->n", R_i, R_j) - 1) / 2
    turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    centres = np.linalg.norm(t_j - t_i, axis=1)  # camera_to_world
    inverse = np.einsum("nji,nj->ni", R_j, t_j) - np.einsum("nji,nj->ni", R_i, t_i)
    moved = np.minimum(centres, np.linalg.norm(inverse, axis=1))
    return np.asarray(turned / TURN_DEG + moved / MOVE_M)


def _candidates(count: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(np.arange(count - gap), np.arange(gap, count)) for gap in _GAPS if gap < count]
    if not pairs:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def pairs_among(frame_ids: Sequence[int], chosen: Sequence[int]) -> list[tuple[int, int]]:
    """Each chosen frame with the next chosen one, as positions; unknown ids are left out."""
    at = {frame_id: k for k, frame_id in enumerate(frame_ids)}
    known = [at[frame_id] for frame_id in chosen if frame_id in at]
    return list(pairwise(known))


def stray_poses(stored: Float64[np.ndarray, "n 4 4"]) -> list[int]:
    """Positions of poses far off both neighbours, while those lie near each other."""
    if len(stored) < 3:
        return []
    k = np.arange(1, len(stored) - 1)
    before, after = motion_of(stored, k - 1, k), motion_of(stored, k, k + 1)
    past = motion_of(stored, k - 1, k + 1)
    return [int(at) for at in k[np.minimum(before, after) > 1.5 + 3 * past]]
