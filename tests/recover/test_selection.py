"""Choosing a pose: against the released program's text, and what it leaves undefined."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ParameterError
from vantage.records.intersections import Intersections
from vantage.recover import bands
from vantage.recover.choice import PoseChoice, preferred
from vantage.recover.selection import Selection, choose_pose

IDENTITY = np.eye(4)


def visibility(*columns: list[float], ids: list[int] | None = None) -> Intersections:
    scores = np.array(columns, dtype=np.float32).T.reshape(-1, len(columns))
    names = tuple(f"{25 * k}.txt" for k in range(len(scores)))
    return Intersections(names, np.array(ids or range(len(columns)), dtype=np.int64), scores)


def poses_of(found: Intersections, more: int = 0) -> dict[int, np.ndarray]:
    frames = [*found.frame_ids().tolist(), *range(100_001, 100_001 + more)]
    return {frame: np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * frame for frame in frames}


def released_draws(column: np.ndarray, cut: float) -> set[int]:
    """Every pose that the released Clip can return, by its own steps: scores, order, band, order again."""
    kept = [row for row in range(len(column)) if column[row] != 0]
    order = sorted(range(len(kept)), key=lambda i: column[kept[i]])
    left = int(len(order) * cut)
    band: list[int] = []
    while not band and left > 0:
        band = order[left:-left]
        left -= 1
    if left == 0:
        band = order
    return {kept[order[position]] for position in band}


scores_of_one = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0]), min_size=1, max_size=40)


@given(scores_of_one, st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.49]))
def test_bands(values: list[float], cut: float) -> None:
    column = np.array(values, dtype=np.float32)
    visible = np.flatnonzero(column)
    assert set(bands.released_clip(column, cut).tolist()) == released_draws(column, cut)
    middle = bands.paper_clip(column, cut)
    out = int(len(visible) * cut)
    assert len(middle) == len(visible) - 2 * out
    assert (len(middle) > 0) == (len(visible) > 0)
    kept = set(middle.tolist())
    dropped = [row for row in visible if row not in kept]
    # As many below as above, and nothing dropped lies strictly inside the band.
    assert all(column[row] <= column[middle].min() or column[row] >= column[middle].max() for row in dropped)
    assert all(a < b or column[a] < column[b] for a, b in pairwise(middle))  # ties stay as they were


def test_released_clip_cuts_nothing_from_four_to_six_poses_and_draws_from_an_arbitrary_set() -> None:
    four = np.array([0.4, 0.1, 0.3, 0.2], dtype=np.float32)
    assert sorted(bands.released_clip(four, 0.3)) == [0, 1, 2, 3]
    assert bands.paper_clip(four, 0.3).tolist() == [3, 2]
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(2000):
        column = rng.permutation(np.arange(1, 21)).astype(np.float32) / 20
        band = set(bands.paper_clip(column, 0.3).tolist())
        drawn = bands.released_clip(column, 0.3).tolist()
        inside.append(len(band.intersection(drawn)) / len(drawn))
    assert np.mean(inside) == pytest.approx(0.4, abs=0.02)  # measured on the released program: 0.401


def test_top_takes_the_first_of_equal_scores_in_both_meanings() -> None:
    found = visibility([0.1, 0.9, 0.9, 0.0])
    for meaning in ("paper", "released"):
        choice = choose_pose(found, poses_of(found), 0, Selection("top", meaning))  # type: ignore[arg-type]
        assert (choice.frame_id, choice.rank, choice.drawn_from) == (25, 0, 1)
        assert choice.score == pytest.approx(0.9)
        assert choice.uses_target
        assert choice.fallback == ""
        np.testing.assert_array_equal(choice.T_world_pose, poses_of(found)[25])
        assert (choice.world, choice.pose) == ("raw", "camera")


def frames_drawn(found: Intersections, ids: object, selection: Selection, more: int = 0) -> set[int | None]:
    poses = poses_of(found, more)
    return {
        choose_pose(found, poses, ids, selection, key=str(k)).frame_id
        for k in range(300)  # type: ignore[arg-type]
    }


def test_clip_draws_the_middle_band_and_only_that() -> None:
    found = visibility([0.0, 0.1, 0.5, 0.2, 0.9, 0.3, 0.4, 0.6, 0.7, 0.8, 0.15])
    column = found.scores[:, 0]
    for meaning in ("paper", "released"):
        selection = Selection("clip", meaning)  # type: ignore[arg-type]
        band = bands.paper_clip(column, 0.3) if meaning == "paper" else bands.released_clip(column, 0.3)
        assert frames_drawn(found, 0, selection) == {25 * int(row) for row in band}


def test_random_ignores_scores_and_uses_no_target() -> None:
    found = visibility([0.0, 1.0, 0.0])
    assert frames_drawn(found, 0, Selection("random")) == {0, 25, 50}
    choice = choose_pose(found, poses_of(found), 0, Selection("random"))
    assert not choice.uses_target
    assert choice.score is choice.rank is choice.object_id is None


@pytest.mark.parametrize("strategy", ["top", "clip", "random"])
@pytest.mark.parametrize("meaning", ["paper", "released"])
@pytest.mark.parametrize(
    ("ids", "fallback"), [(1, "unseen"), (99, "unknown_object"), (-1, "no_object"), ([], "no_object")]
)
def test_what_raised_or_was_unseeded_has_a_documented_result(
    strategy: str, meaning: str, ids: object, fallback: str
) -> None:
    found = visibility([0.2, 0.0, 0.4], [0.0, 0.0, 0.0])
    selection = Selection(strategy, meaning)  # type: ignore[arg-type]
    choice = choose_pose(found, poses_of(found, 3), ids, selection)  # type: ignore[arg-type]
    assert choice.fallback == ("" if strategy == "random" else fallback)
    assert choice.frame_id is not None
    assert choice.T_world_pose is not None
    assert choice.uses_target == (strategy != "random" and fallback != "no_object")
    drawn = frames_drawn(found, ids, selection, more=3)
    everywhere = meaning == "released" and strategy != "random" and fallback == "no_object"
    assert drawn == {0, 25, 50} | ({100_001, 100_002, 100_003} if everywhere else set())


@pytest.mark.parametrize("strategy", ["top", "clip", "random"])
def test_no_pose_at_all(strategy: str) -> None:
    found = Intersections((), np.array([0]), np.zeros((0, 1), dtype=np.float32))
    choice = choose_pose(found, {}, 0, Selection(strategy))  # type: ignore[arg-type]
    assert (choice.fallback, choice.frame_id, choice.T_world_pose) == ("no_poses", None, None)


def test_one_of_several_ids_is_drawn_first() -> None:
    found = visibility([0.9, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 0.7])
    poses, top = poses_of(found), Selection("top")
    assert frames_drawn(found, [0, 2], top) == {0, 50}
    drawn = {choose_pose(found, poses, [0, 2], top, key=str(k)).object_id for k in range(50)}
    assert drawn == {0, 2}
    assert choose_pose(found, poses, np.int64(1), top).frame_id == 25


def test_background_is_no_object() -> None:
    found = visibility([0.9, 0.1], [0.0, 0.3], ids=[-1, 4])
    assert choose_pose(found, poses_of(found), -1, Selection("top")).fallback == "no_object"
    assert choose_pose(found, poses_of(found), 4, Selection("top")).frame_id == 25


def test_draws_follow_the_seed_and_the_question_alone() -> None:
    found = visibility(list(np.linspace(0.01, 1, 50)))
    poses, selection = poses_of(found), Selection("clip", seed=3)

    def frames(chosen: Selection) -> list[int | None]:
        return [choose_pose(found, poses, 0, chosen, key=f"q{k}").frame_id for k in range(30)]

    assert frames(selection) == frames(selection)
    assert frames(selection) != frames(replace(selection, seed=4))
    assert len(set(frames(selection))) > 5
    lone = choose_pose(found, poses, 0, selection, key="q7")
    assert lone.frame_id == frames(selection)[7]
    assert lone.seed == 3


def test_rank_counts_from_the_highest_score() -> None:
    found = visibility([0.3, 0.6, 0.6, 0.1, 0.0])
    ranks = {
        choice.frame_id: choice.rank
        for k in range(100)
        if (choice := choose_pose(found, poses_of(found), 0, Selection("clip", cut=0.0), key=str(k)))
    }
    assert ranks == {25: 0, 50: 1, 0: 2, 75: 3}


def test_ids_that_are_no_target_are_no_leak() -> None:
    found = visibility([0.3, 0.6])
    assert not choose_pose(found, poses_of(found), 0, Selection("top", ids_are_target=False)).uses_target


def test_wrong_parameters() -> None:
    for cut in (0.5, -0.1, float("nan")):
        with pytest.raises(ParameterError, match="middle band"):
            Selection(cut=cut)
    with pytest.raises(ParameterError, match="without a pose"):
        choose_pose(visibility([0.1, 0.2]), {0: IDENTITY}, 0, Selection())


def test_an_annotated_pose_is_preferred_where_there_is_one() -> None:
    clip = PoseChoice("clip", "paper", IDENTITY, "raw", "camera")
    situation = PoseChoice("situation", None, IDENTITY, "aligned", "ego_level")
    assert preferred(("situation", "describer", "clip"), [clip, situation]) is situation
    assert preferred(("situation", "clip"), [clip]) is clip
    with pytest.raises(ParameterError, match="no pose of these sources"):
        preferred(("describer",), [clip, situation])
