"""Masks vote: against a loop over points and frames."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw, invert
from vantage.scans.votes import SEEN_M, MaskView, vote

DEPTH = Pinhole(20, 15, 15.0, 16.0, 9.3, 7.1)
MASK = Pinhole(32, 24, 25.0, 24.0, 15.0, 12.2)


def a_view(rng: np.random.Generator) -> MaskView:
    T = compose(from_yaw(rng.uniform(-0.4, 0.4))[:3, :3], rng.normal(size=3) * 0.2)
    depth = rng.uniform(1.9, 2.1, (DEPTH.height, DEPTH.width)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0
    return depth, DEPTH, rng.integers(-1, 4, (MASK.height, MASK.width)), MASK, T


def by_loop(coord: np.ndarray, views: list[MaskView]) -> list[int]:
    found = []
    for point in coord:
        votes: dict[int, int] = {}
        for depth, depth_eye, ids, mask_eye, T in views:
            p = apply(invert(T), point)
            if p[2] <= 0:
                continue
            (u, v), _ = depth_eye.project(p)
            j, i = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
            if not (0 <= i < depth_eye.height and 0 <= j < depth_eye.width) or depth[i, j] <= 0:
                continue
            if abs(depth[i, j] - p[2]) >= SEEN_M:
                continue
            (u, v), _ = mask_eye.project(p)
            j, i = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
            if 0 <= i < mask_eye.height and 0 <= j < mask_eye.width:
                votes[int(ids[i, j])] = votes.get(int(ids[i, j]), 0) + 1
        found.append(min(votes, key=lambda k: (-votes[k], k)) if votes else -1)
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_votes_against_a_loop(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    coord = (rng.uniform(-1, 1, (60, 3)) * [1.5, 1, 0.2] + [0, 0, 2]).astype(np.float32)
    views = [a_view(rng) for _ in range(frames)]
    assert vote(coord, views).tolist() == by_loop(coord, views)
    assert vote(coord, views[::-1]).tolist() == by_loop(coord, views)


def test_what_is_hidden_does_not_get_a_vote() -> None:
    ids = np.full((MASK.height, MASK.width), 3)
    near = np.full((DEPTH.height, DEPTH.width), 1.0, np.float32)
    points = np.float32([[0, 0, 1.0], [0, 0, 2.0], [0, 0, 0.5], [0, 0, -1.0]])
    assert vote(points, [(near, DEPTH, ids, MASK, np.eye(4))]).tolist() == [3, -1, -1, -1]
    assert vote(points, []).tolist() == [-1] * 4
    assert len(vote(points[:0], [(near, DEPTH, ids, MASK, np.eye(4))])) == 0


def test_most_votes_win_and_none_goes_before_an_equal_object() -> None:
    depth = np.full((DEPTH.height, DEPTH.width), 1.0, np.float32)
    point = np.float32([[0, 0, 1.0]])

    def cast(*ids: int) -> int:
        return int(vote(point, [(depth, DEPTH, np.full((24, 32), k), MASK, np.eye(4)) for k in ids])[0])

    assert cast(5, 2, 5) == 5
    assert cast(5, 2) == 2
    assert cast(-1, 7) == -1
    assert cast(-1, 7, 7) == 7
    assert cast(65535, 65535) == 65535
