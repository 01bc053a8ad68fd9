"""The comparison of a pair against a loop over pixels, and what counts as hidden or impossible."""

from __future__ import annotations

import math

import numpy as np
from turned import PLAIN, Recording

from vantage.geometry.transforms import compose, invert
from vantage.scans.conventions import POSE_DIRECTIONS, Convention
from vantage.scans.diagnosis.hypotheses import HYPOTHESES, Hypothesis
from vantage.scans.diagnosis.measure import ENOUGH, TOLERANCE, TOLERANCE_M, tally
from vantage.scans.diagnosis.views import View, grid_points
from vantage.scans.raw import RawFrame


def view(recording: Recording, k: int, points: int = 400) -> View:
    depth = np.where(recording.depth_mm[k] == 65535, 0, recording.depth_mm[k]).astype(np.uint16)
    return View(RawFrame(k), recording.camera, depth, grid_points(recording.camera, depth, points))


def by_hand(points: np.ndarray, other: View, T: np.ndarray, units: float) -> list[int]:
    counts = [0, 0, 0, 0, 0]
    c = other.camera
    for point in points:
        p = [sum(T[r, c] * point[c] for c in range(3)) + units * T[r, 3] for r in range(3)]
        if p[2] <= 0:
            continue
        u, v = math.floor(c.fx * p[0] / p[2] + c.cx + 0.5), math.floor(c.fy * p[1] / p[2] + c.cy + 0.5)
        if not (0 <= u < c.width and 0 <= v < c.height) or not other.depth[v, u]:
            continue
        measured = float(other.depth[v, u])
        off = p[2] - measured
        counts[0] += abs(off) < TOLERANCE * measured
        counts[1] += abs(off) < TOLERANCE_M * units
        counts[2] += off <= -TOLERANCE * measured
        counts[3] += off <= -TOLERANCE_M * units
        counts[4] += off >= TOLERANCE * measured
    return counts


def test_against_a_loop_over_points(room: Recording) -> None:
    first, second = view(room, 2), view(room, 3)
    for T in (
        invert(room.T_world_cam[3]) @ room.T_world_cam[2],
        compose(np.eye(3), np.array([0.2, 0, -0.3])),
    ):
        for units in (1000.0, 400.0, 5000.0):
            found = tally(first, second, T, np.array([units]))
            there = by_hand(first.points, second, T, units)
            back = by_hand(second.points, first, invert(T), units)
            counts = (found.agreeing, found.near, found.through, found.through_5cm, found.hidden)
            assert [int(c[0]) for c in counts] == [a + b for a, b in zip(there, back, strict=True)]
            assert found.points == len(first.points) + len(second.points)
            seen = found.agreeing + found.through
            expected = found.agreeing / np.maximum(seen, ENOUGH * found.points)
            np.testing.assert_allclose(found.share(), expected)


def test_surface_hidden_from_the_other_frame_does_not_count(room: Recording) -> None:
    first = view(room, 2)
    nearer = (first.depth * 0.5).astype(np.uint16)
    screen = View(RawFrame(1), first.camera, nearer, first.points[:0])
    found = tally(first, screen, np.eye(4), np.array([1000.0]))
    assert found.agreeing[0] == found.through[0] == 0 and found.hidden[0] > 100
    farther = View(RawFrame(1), first.camera, (first.depth * 1.5).astype(np.uint16), first.points[:0])
    found = tally(first, farther, np.eye(4), np.array([1000.0]))
    assert found.agreeing[0] == found.hidden[0] == 0 and found.through[0] > 100


def test_every_hypothesis_undoes_its_own_convention(room: Recording) -> None:
    T_i, T_j = room.T_world_cam[[2, 5]]
    for h in HYPOTHESES:
        truth = h.applied_to(PLAIN)
        T = h.T_j_i(truth.stored(T_i), truth.stored(T_j))
        np.testing.assert_allclose(T, invert(T_j) @ T_i, atol=1e-9)
    assert len(set(map(str, HYPOTHESES))) == 8


def test_equivalences_of_special_motion() -> None:
    """Worked out by hand: a sideways slide is undone by the inverse and by half a turn about the view."""
    still = np.eye(4)
    slide = compose(np.eye(3), np.array([0.3, 0.1, 0.0]))
    plain = Hypothesis("camera_to_world", "opencv").T_j_i(still, slide)
    both = Hypothesis("world_to_camera", "left_up").T_j_i(still, slide)
    np.testing.assert_allclose(plain, both, atol=1e-12)
    for direction in POSE_DIRECTIONS:
        ahead = compose(np.eye(3), np.array([0.0, 0.0, 0.5]))
        np.testing.assert_allclose(
            Hypothesis(direction, "left_up").T_j_i(still, ahead),
            Hypothesis(direction, "opencv").T_j_i(still, ahead),
            atol=1e-12,
        )
    assert Convention().poses == "camera_to_world"
