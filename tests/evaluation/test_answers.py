"""What the model is shown: ego coordinates as a matrix product gives them, and what a control takes away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_workspace import TEXTS, Made

from vantage.align.controls import lender
from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.answers import (
    answer_all,
    as_it_is,
    blind,
    moved,
    turned,
    unposed,
    with_points_of,
)
from vantage.evaluation.situations import Situation, heldout_questions, situations
from vantage.models.answering import PocketVLM, model_image
from vantage.records.frames import kept_frames
from vantage.records.patches import read_patches
from vantage.records.scan import read_scan
from vantage.scans.pixels import read_color


class Recorder(PocketVLM):
    """Keeps what it is shown and says a word that tells how many questions it was asked."""

    def __init__(self) -> None:
        self.shown: list[tuple[np.ndarray, ...]] = []

    def answer(self, images, xyz_ego, valid, questions):  # type: ignore[no-untyped-def]
        self.shown.append((images, xyz_ego, valid))
        return ["yes"] * len(questions)


def of(made: Made, scan: str) -> Situation:
    questions = heldout_questions(made.inputs["synthesize"])[scan]
    (situation,) = situations(made.inputs, scan, questions)
    return situation


def test_a_situation_holds_views_and_points_of_its_ego(made: Made) -> None:
    scan = made.scans[1]
    situation = of(made, scan)
    assert len(situation.questions) == len(TEXTS)
    extract = made.inputs["extract"] / scan
    meta, frames = read_scan(extract), kept_frames(extract)
    for i, frame in enumerate(frames):
        picture = model_image(read_color(made.inputs["download"] / scan, meta, frame))
        np.testing.assert_array_equal(situation.images[i], picture)
    patches = read_patches(made.inputs["lift"] / scan)
    assert situation.valid.mean() > 0.9
    homogeneous = np.concatenate([patches.xyz_aligned, np.ones((*patches.valid.shape, 1))], axis=-1)
    expected = homogeneous @ np.linalg.inv(situation.questions[0].T_aligned_ego).T
    got = situation.points()
    np.testing.assert_allclose(got[situation.valid], expected[situation.valid][:, :3], atol=1e-5)
    assert (got[situation.valid][:64, 0] > 0).all(), "what the ego's own view shows lies before the ego"


def test_blind_sees_neither_picture_nor_point(made: Made) -> None:
    shown = [blind(of(made, scan)) for scan in made.scans]
    for images, xyz, valid in shown:
        assert not valid.any()
        assert not xyz.any()
        np.testing.assert_array_equal(images, shown[0][0])


def test_random_yaw_keeps_distance_and_height_and_turns_all_points_alike(made: Made) -> None:
    situation = of(made, made.scans[0])
    images, xyz, valid = turned(situation, seed=4)
    own = situation.points()
    np.testing.assert_array_equal(images, situation.images)
    np.testing.assert_allclose(xyz[..., 2], own[..., 2], atol=1e-5)
    plane, own_plane = xyz[valid][:, 0] + 1j * xyz[valid][:, 1], own[valid][:, 0] + 1j * own[valid][:, 1]
    np.testing.assert_allclose(abs(plane), abs(own_plane), atol=1e-5)
    turn = np.angle(plane / own_plane)
    assert np.ptp(np.unwrap(turn)) < 1e-3
    assert abs(turn[0]) > 0.05
    assert not np.allclose(turned(situation, seed=5)[1], xyz)


def test_random_pose_gives_the_points_in_the_frame_of_the_scans_other_frame(made: Made) -> None:
    situation = of(made, made.scans[1])
    assert len(situation.T_aligned_others) == 1, "two frames were kept, and one is the ego"
    extract = made.inputs["extract"] / made.scans[1]
    camera = read_scan(extract).T_aligned_raw @ kept_frames(extract)[1].T_raw_cam
    forward = camera[:2, 2] / np.linalg.norm(camera[:2, 2])
    images, xyz, valid = moved(situation, seed=3)
    np.testing.assert_array_equal(images, situation.images)
    patches = read_patches(made.inputs["lift"] / made.scans[1])
    away = patches.xyz_aligned[valid].astype(np.float64) - [*camera[:2, 3], 0.0]
    ahead, left = away[:, :2] @ forward, away[:, :2] @ [-forward[1], forward[0]]
    np.testing.assert_allclose(xyz[valid], np.stack([ahead, left, away[:, 2]], axis=1), atol=1e-5)


def test_random_pose_never_takes_the_egos_own_frame_and_depends_on_the_seed_only(made: Made) -> None:
    situation = of(made, made.scans[0])
    T = np.stack([situation.T_aligned_others[0]] * 9)
    T[:, 0, 3] += np.arange(9)
    many = replace(situation, T_aligned_others=T)
    places = {float(moved(many, seed)[1][0, 0, 0, 0]) for seed in range(60)}
    assert len(places) == 9, "every other frame is drawn some time"
    np.testing.assert_array_equal(moved(many, 5)[1], moved(many, 5)[1])
    alone = replace(situation, T_aligned_others=T[:0])
    np.testing.assert_array_equal(moved(alone, 5)[1], situation.points())


def test_no_pose_leaves_the_points_in_the_room(made: Made) -> None:
    situation = of(made, made.scans[1])
    images, xyz, valid = unposed(situation)
    np.testing.assert_array_equal(images, situation.images)
    patches = read_patches(made.inputs["lift"] / made.scans[1])
    np.testing.assert_array_equal(xyz[valid], patches.xyz_aligned[valid])
    assert not xyz[~valid].any() and valid.any()


def test_other_sample_lends_the_points_of_another_room(made: Made) -> None:
    rooms = [scan[:8] for scan in made.scans]
    for i in range(len(rooms)):
        j = lender(i, rooms, 0, "key")
        assert rooms[j] != rooms[i]
    assert lender(0, ["a", "a"], 0, "key") == 1
    assert lender(0, ["a"], 0, "key") == 0
    mine, other = of(made, made.scans[0]), of(made, made.scans[1])
    images, xyz, _ = with_points_of(mine, other)
    np.testing.assert_array_equal(images, mine.images)
    np.testing.assert_array_equal(xyz, other.points())


@pytest.mark.parametrize("control", ["", "blind", "other_sample", "random_yaw", "random_pose", "no_pose"])
def test_every_question_is_answered_once_and_controls_differ(made: Made, control: str) -> None:
    model, steps = Recorder(), []
    predictions = answer_all(model, made.inputs, control, 0, lambda done, total: steps.append((done, total)))
    ids = [p.question_id for p in predictions]
    assert ids == sorted(f"{scan}-{i}" for scan in made.scans for i in range(len(TEXTS)))
    assert steps[-1] == (len(made.scans), len(made.scans))
    own = [as_it_is(of(made, scan)) for scan in made.scans]
    same = [np.allclose(a[1], b[1]) for a, b in zip(model.shown, own, strict=True)]
    if control == "no_pose":
        same = same[1:]  # the first scan's ego stands at the origin and looks along x
    assert all(same) if control == "" else not any(same)


def test_an_unknown_control_and_an_empty_split_are_errors(made: Made, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match="no such control"):
        answer_all(Recorder(), made.inputs, "deaf", 0)
    (tmp_path / "index.jsonl").write_text("")
    with pytest.raises(ContractError, match="no question is held out"):
        heldout_questions(tmp_path)
