from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_rooms import CAMERA, look_from
from vantage.geometry import transforms
from vantage.questions.config import SynthesizeConfig
from vantage.questions.egos import spread
from vantage.questions.recorded import Recorded
from vantage.questions.scene import RoomObject, Scene
from vantage.questions.situations import situate, situations_of
from vantage.questions.views import choose_views


def recorded(sees: np.ndarray, scan_id: str = "scan") -> Recorded:
    frames, objects = sees.shape
    poses = np.array([look_from(0.0, 0.0, 0.5 * i) for i in range(frames)]).reshape(-1, 4, 4)
    return Recorded(
        scan_id,
        tuple(range(0, 5 * frames, 5)),
        poses,
        tuple(range(objects)),
        sees,
        sees.astype(np.float32),
        (CAMERA,) * frames,
    )


SEES = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(0, 9999)).map(
    lambda t: np.random.default_rng(t[2]).random((t[0], t[1])) < 0.35
)


@settings(deadline=None)
@given(SEES, st.integers(1, 6))
def test_views_are_greedy_and_start_with_the_ego(sees: np.ndarray, n: int) -> None:
    scan = recorded(sees)
    for ego in scan.frame_ids:
        views = choose_views(scan, ego, n, 0)
        assert views[0] == ego and len(set(views)) == len(views) == min(n, len(scan.frame_ids))
        rows = [scan.frame_ids.index(frame) for frame in views]
        for k in range(1, len(rows)):  # no frame would have shown more new objects
            shown = sees[rows[:k]].any(axis=0)
            gains = {row: int((sees[row] & ~shown).sum()) for row in range(len(sees)) if row not in rows[:k]}
            assert gains[rows[k]] == max(gains.values())


@settings(deadline=None)
@given(SEES, st.integers(0, 11))
def test_what_must_be_seen_is_seen_if_any_frame_shows_it(sees: np.ndarray, target: int) -> None:
    scan = recorded(sees)
    target %= sees.shape[1]
    views = choose_views(scan, scan.frame_ids[0], 2, 0, must_see=[target])
    rows = [scan.frame_ids.index(frame) for frame in views]
    assert sees[rows, target].any() == sees[:, target].any()


def test_views_depend_on_the_seed_only_where_frames_tie() -> None:
    tied = recorded(np.zeros((9, 3), dtype=bool))
    assert len({choose_views(tied, 0, 4, seed) for seed in range(8)}) > 1
    assert choose_views(tied, 0, 4, 1) == choose_views(tied, 0, 4, 1)
    clear = recorded(np.tril(np.ones((4, 4), dtype=bool)))
    assert {choose_views(clear, 0, 2, seed) for seed in range(8)} == {(0, 15)}


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 99))
def test_egos_are_spread_over_the_path(total: int, n: int, seed: int) -> None:
    frames = list(range(0, 3 * total, 3))
    egos = spread(frames, n, seed, "scan")
    assert len(set(egos)) == len(egos) == min(n, total) and sorted(egos) == list(egos)
    if total > n:
        gaps = np.diff([frames.index(ego) for ego in egos])
        assert gaps.size == 0 or gaps.max() <= total / n + 1


def test_a_situation_tells_the_pose_and_the_column_of_what_view_one_shows() -> None:
    boxes = [(2.0, 0.0, 0.5), (2.0, 0.6, 0.5), (2.0, -0.6, 0.5), (-2.0, 0.0, 0.5), (1.0, 3.0, 0.5)]
    labels = ("bed", "chair", "lamp", "sofa", "desk")
    scene = Scene(RoomObject(i, labels[i], "red", boxes[i], (0.4, 0.4, 1.0)) for i in range(5))
    sees = np.array([[True] * 5, [False] * 5])
    situation = situate(recorded(sees), scene, (0, 5))
    assert np.allclose(situation.T_aligned_ego, np.eye(4))
    first = situation.seen.first
    assert first[0] == pytest.approx(31.5, abs=1e-6)
    assert first[1] + first[2] == pytest.approx(63.0) and first[1] < 25 < 38 < first[2]
    assert np.isnan(first[3]), "a box seen although its centre is behind the camera has no column"
    assert np.isnan(first[4]), "nor has one whose centre lies beside the picture"
    assert situation.seen.views == {0, 1, 2, 3, 4}


def test_the_ego_stands_on_the_floor_under_its_camera() -> None:
    scan = recorded(np.ones((6, 2), dtype=bool))
    for situation in situations_of(scan, Scene([]), 6, 0, SynthesizeConfig()):
        row = scan.frame_ids.index(situation.views[0])
        expected = transforms.from_yaw(0.5 * row)
        assert np.allclose(situation.T_aligned_ego, expected)
