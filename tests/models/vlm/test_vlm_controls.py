"""What a control leaves of a sample: laws of geometry, and the draws of the pocket model's evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from question_folders import CAMERA, FRAMES, Folders, pose, tiled
from tiny_prompts import preparer

from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.controls import ShownControl, lender
from vantage.align.ego import ego_of_camera, random_yaw
from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.transforms import from_yaw, invert, level_ego
from vantage.geometry.warp import squash
from vantage.models.vlm.batch import collate, single_dialogs
from vantage.models.vlm.controls import blind, controlled, moved, seen_by, with_points_of
from vantage.models.vlm.listing import SampleFrame, Selection
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample

CONTROLS = get_args(ShownControl)
FRAME_NAMES: tuple[SampleFrame, ...] = get_args(SampleFrame)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path, warp=tiled(CAMERA))
    for number, shade in enumerate((40, 90, 140)):
        made.scan(f"room{number:04d}_00", "train", shade)
    made.index()
    return made


def points(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Of all pictures of all views, flat: points and their validity."""
    pictures = [p for view in sample.views for p in view.pictures or ()]
    xyz = torch.cat([p.xyz.reshape(-1, 3) for p in pictures]).double().numpy()
    return xyz, torch.cat([p.valid.reshape(-1) for p in pictures]).numpy()


def cameras(sample: Sample) -> np.ndarray:
    return np.stack([view.T_frame_cam for view in sample.views])


def shades(sample: Sample) -> list[float]:
    return [float(np.asarray(view.image()).mean()) for view in sample.views]


def same(a: Sample, b: Sample) -> bool:
    (xyz, valid), (other_xyz, other_valid) = points(a), points(b)
    poses = [v.T_frame_cam is None for v in (*a.views, *b.views)]
    close = not any(poses) and np.array_equal(cameras(a), cameras(b))
    return bool(np.array_equal(xyz, other_xyz) and np.array_equal(valid, other_valid) and close)


@pytest.mark.parametrize("frame", FRAME_NAMES)
def test_random_yaw_turns_points_and_cameras_alike_about_the_ego(
    folders: Folders, frame: SampleFrame
) -> None:
    samples = QuestionSamples(folders.inputs, Selection(frame=frame))
    own, turned = samples[1], controlled(samples, 1, "random_yaw", 7)
    yaw = random_yaw(7, "evaluate", own.sample_id)
    centre = np.zeros(3) if frame == "ego_level" else np.array([*pose(40, 9)[:2, 3], 0.0])
    T = from_yaw(0.0, tuple(centre)) @ from_yaw(-yaw) @ from_yaw(0.0, tuple(-centre))
    xyz, valid = points(own)
    expected = np.where(valid[:, None], xyz @ T[:3, :3].T + T[:3, 3], 0.0)
    np.testing.assert_allclose(points(turned)[0], expected, atol=1e-5)
    np.testing.assert_array_equal(points(turned)[1], valid)
    np.testing.assert_allclose(cameras(turned), T @ cameras(own), atol=1e-9)
    assert turned.place == own.place and turned.dialogs == own.dialogs
    assert shades(turned) == shades(own)


def test_random_pose_gives_the_points_of_an_ego_at_another_frame(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    xyz, valid = points(QuestionSamples(folders.inputs, Selection(frame="aligned"))[0])
    found = set()
    for seed in range(40):
        shown = controlled(samples, 0, "random_pose", seed)
        fits = [
            frame
            for frame in FRAMES
            if np.allclose(
                points(shown)[0][valid],
                (np.c_[xyz, np.ones(len(xyz))] @ invert(level_ego(pose(40, frame))).T)[valid, :3],
                atol=1e-4,
            )
        ]
        assert len(fits) == 1
        found.add(fits[0])
        expected = invert(level_ego(pose(40, fits[0]))) @ pose(40, 0)
        np.testing.assert_allclose(shown.views[1].T_frame_cam, expected, atol=1e-9)
    assert found == {0, 5, 9}, "each of the scan's frames but the ego's own"


def test_in_the_world_another_ego_comes_to_stand_where_the_own_one_does(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection(frame="aligned"))
    own = ego_of_camera(pose(40, 3), "aligned", "ego_level")
    other = ego_of_camera(pose(40, 5), "aligned", "ego_level")
    shown = seen_by(samples[0], own, other)
    carried = level_ego(shown.views[2].T_frame_cam)  # view 3 is frame 5
    np.testing.assert_allclose(carried, own.T_world_ego, atol=1e-9)
    with pytest.raises(ContractError, match="no control"):
        seen_by(replace(samples[0], frame="camera"), own, other)


def test_blind_leaves_words_alone(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection(frame="aligned"))
    shown = controlled(samples, 2, "blind", 0)
    own: Sample = samples[2]
    assert (shown.dialogs, shown.place, shown.sample_id) == (own.dialogs, own.place, own.sample_id)
    for view, plain in zip(shown.views, own.views, strict=True):
        picture = np.asarray(view.image())
        assert picture.shape == np.asarray(plain.image()).shape and (picture == 128).all()
        assert view.T_frame_cam is None
        assert [p.valid.shape for p in view.pictures] == [p.valid.shape for p in plain.pictures]
    assert not points(shown)[1].any() and not points(shown)[0].any()
    bare = replace(own, views=tuple(replace(view, pictures=None) for view in own.views))
    assert all(view.pictures is None for view in blind(bare).views)


def test_other_sample_lends_points_and_cameras_of_another_room_in_its_own_frame(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    rooms = [row.room_id for row in samples.listed]
    for index in range(len(samples)):
        lent = controlled(samples, index, "other_sample", 3)
        other = samples[lender(index, rooms, 3, samples.listed[index].sample_id)]
        assert other.sample_id[:8] != lent.sample_id[:8]
        for number, view in enumerate(lent.views):
            theirs = other.views[number % len(other.views)]
            assert torch.equal(view.pictures[0].xyz, theirs.pictures[0].xyz)
            np.testing.assert_array_equal(view.T_frame_cam, theirs.T_frame_cam)
        assert shades(lent) == shades(samples[index])
    lenders = {lender(0, rooms, 3, "key", step) for step in range(50)}
    assert lenders == {2, 3, 4, 5}


def test_other_sample_takes_pictures_of_the_same_shape(folders: Folders) -> None:
    folders.warp, folders.grid = squash(96, 72, 24, 4), (6, 6)
    folders.scan("room0003_00", "train", 200)
    folders.index()
    samples = QuestionSamples(folders.inputs, Selection())
    for seed in range(20):
        controlled(samples, 0, "other_sample", seed)
    alone = controlled(samples, 6, "other_sample", 0)
    assert same(alone, with_points_of(samples[6], samples[7])), "no other room has such pictures"
    with pytest.raises(ContractError, match="another shape") as caught:
        with_points_of(samples[0], samples[6])
    assert "room0000_00/3/3-0-5" in str(caught.value) and "room0003_00/frame 3" in str(caught.value)
    with pytest.raises(ContractError, match="another frame"):
        with_points_of(samples[0], replace(samples[2], frame="aligned"))


@pytest.mark.parametrize("frame", FRAME_NAMES)
@pytest.mark.parametrize("control", [c for c in CONTROLS if c != "blind"])
def test_controls_depend_on_seed_sample_and_draw_alone(
    folders: Folders, control: str, frame: SampleFrame
) -> None:
    samples = QuestionSamples(folders.inputs, Selection(frame=frame))
    again = QuestionSamples(folders.inputs, Selection(frame=frame))
    first = controlled(samples, 2, control, 5)
    assert again[0].views and again[5].views
    assert same(first, controlled(again, 2, control, 5))
    assert not same(first, samples[2])
    others = [controlled(samples, 2, control, seed) for seed in range(6, 16)]
    drawn = [controlled(samples, 2, control, 5, step) for step in range(10)]
    assert not all(same(first, other) for other in others)
    assert not all(same(first, other) for other in drawn)
    assert same(drawn[3], controlled(again, 2, control, 5, 3))


def test_no_control_changes_nothing_and_an_unknown_one_is_refused(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    assert same(controlled(samples, 4, "", 0), samples[4])
    with pytest.raises(ParameterError, match=r"(?s)no such control.*random_pose"):
        controlled(samples, 0, "deaf", 0)


def test_a_control_comes_before_alignment(folders: Folders) -> None:
    sample: Sample = QuestionSamples(folders.inputs, Selection(frame="aligned"))[0]
    pose_of = Pose(ego_of_camera(pose(40, 3), "aligned", "ego_level"), "question")
    shown = aligned(sample, pose_of, AlignConfig(mode="embed", frame="ego_level"), 0)
    assert shown.views[0].pictures[0].beside is not None
    for control in (blind, lambda s: moved(s, np.eye(4))):
        with pytest.raises(ContractError, match="aligned already"):
            control(shown)
    level = AlignConfig(mode="transform", frame="ego_level")
    other = controlled(QuestionSamples(folders.inputs, Selection(frame="aligned")), 0, "random_yaw", 7)
    own = controlled(QuestionSamples(folders.inputs, Selection()), 0, "random_yaw", 7)
    np.testing.assert_allclose(points(aligned(other, pose_of, level, 0))[0], points(own)[0], atol=1e-5)


def test_a_move_there_and_back_is_none(folders: Folders) -> None:
    sample: Sample = QuestionSamples(folders.inputs, Selection())[3]
    T = from_yaw(1.1, (0.4, -2.0, 0.3))
    back = moved(moved(sample, T), invert(T))
    np.testing.assert_allclose(points(back)[0], points(sample)[0], atol=1e-5)
    np.testing.assert_allclose(cameras(back), cameras(sample), atol=1e-9)
    bare = replace(sample, views=tuple(replace(v, pictures=None, T_frame_cam=None) for v in sample.views))
    assert moved(bare, T) == bare


@pytest.mark.parametrize("control", ["", *CONTROLS])
def test_a_model_is_shown_samples_under_every_control(tmp_path: Path, control: str) -> None:
    made = Folders(tmp_path, grid=(4, 4))
    made.scan("room0000_00")
    made.scan("room0001_00", shade=90)
    made.index()
    samples = QuestionSamples(made.inputs, Selection())
    batch = collate(single_dialogs([controlled(samples, 1, control, 0)]), preparer("nvila_3x3"))
    assert batch.geometry.valid.any() == (control != "blind")
    assert bool(batch.cameras.any()) == (control != "blind")
