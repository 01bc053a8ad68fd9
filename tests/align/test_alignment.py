"""Ways of telling a pose: what they do to a world, and what they do when the world is turned and moved."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from ego_poses import a_camera, an_alignment, angles, seeds, some_points
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.spatial.transform import Rotation

from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig, EgoFrame, Mode
from vantage.align.ego import EgoPose, ego_of_camera
from vantage.align.embed import additive_numbers, pose_numbers, pose_of_numbers, token_numbers
from vantage.align.perturbation import Perturbation, perturbed
from vantage.align.prompt import split_pose
from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw, invert

CAMERA = Pinhole(640, 480, 577.87, 580.0, 319.5, 239.5)
MODES, FRAMES = get_args(Mode), get_args(EgoFrame)
WIDE = Perturbation(0.3, 20.0)
modes, frames = st.sampled_from(MODES), st.sampled_from(FRAMES)


def a_pose(seed: int) -> Pose:
    return Pose(ego_of_camera(a_camera(seed), "aligned", "ego_camera"), f"q{seed}", CAMERA)


def moved(pose: Pose, G: np.ndarray) -> Pose:
    """The pose, carried along when the aligned world is turned and moved by G."""
    return replace(pose, ego=EgoPose(G @ pose.ego.T_world_ego, "aligned", pose.ego.frame))


def a_motion(seed: int, frame: str) -> np.ndarray:
    """Any motion; one over the floor for `ego_level`, which has to stay on it."""
    rng = np.random.default_rng(seed + 7)
    place = rng.uniform(-20, 20, 3)
    if frame == "ego_level":
        return from_yaw(rng.uniform(-math.pi, math.pi), place * [1, 1, 0])
    return compose(Rotation.random(random_state=seed).as_matrix(), place)


@given(seeds, frames)
def test_transformed_coordinates_do_not_change_when_the_world_and_the_ego_move_together(
    seed: int, frame: EgoFrame
) -> None:
    config, G, p = AlignConfig("transform", frame), a_motion(seed, frame), some_points(seed)
    before = a_pose(seed).aligning(config, "aligned", 0)
    after = moved(a_pose(seed), G).aligning(config, "aligned", 0)
    np.testing.assert_allclose(after.points(apply(G, p)), before.points(p), atol=1e-9)
    T = a_camera(seed + 1)
    np.testing.assert_allclose(after.T_frame_world @ G @ T, before.T_frame_world @ T, atol=1e-9)


@given(seeds, frames)
def test_a_prompt_follows_the_world_and_coordinates_stay_in_it(seed: int, frame: EgoFrame) -> None:
    config, G, p = AlignConfig("prompt", frame), a_motion(seed, frame), some_points(seed)
    before = a_pose(seed).aligning(config, "aligned", 0)
    after = moved(a_pose(seed), G).aligning(config, "aligned", 0)
    np.testing.assert_array_equal(after.points(apply(G, p)), apply(G, p))
    np.testing.assert_array_equal(before.points(p), p)
    told, question = split_pose(after.question("Where is it?"))
    assert (question, told.world, told.frame) == ("Where is it?", "aligned", frame)
    np.testing.assert_allclose(told.T_world_ego, G @ before.ego.T_world_ego, atol=0.006)


@given(seeds, frames)
def test_embedded_poses_follow_the_world_and_what_the_ego_sees_does_not_change(
    seed: int, frame: EgoFrame
) -> None:
    G, p = a_motion(seed, frame), some_points(seed)
    point, view = AlignConfig("embed", frame), AlignConfig("embed", "ego_camera", "pose_view")
    ego = a_pose(seed).ego.seen_as(frame)
    found = moved(a_pose(seed), G).aligning(point, "aligned", 0).beside(apply(G, p))
    assert found is not None
    assert (found == found[0]).all()
    back = pose_of_numbers(found[0], "aligned", "ego_camera")
    np.testing.assert_allclose(back.T_world_ego, G @ ego.T_world_ego, atol=1e-5)
    before = a_pose(seed).aligning(view, "aligned", 0).beside(p)
    after = moved(a_pose(seed), G).aligning(view, "aligned", 0).beside(apply(G, p))
    np.testing.assert_allclose(after, before, atol=1e-5)
    for config in (point, view):
        np.testing.assert_array_equal(a_pose(seed).aligning(config, "aligned", 0).points(p), p)


@given(seeds, frames, angles, st.floats(0.1, 6), st.floats(-2, 2))
def test_a_thing_in_a_direction_from_the_ego_is_there(
    seed: int, frame: EgoFrame, angle: float, distance: float, height: float
) -> None:
    """From the level pose by trigonometry: `angle` to the left of where it looks."""
    T_world_cam = a_camera(seed)
    if frame == "ego_camera":  # level the camera: its own frame is then the level one, higher up
        ahead = T_world_cam[:3, 2]
        yaw = math.atan2(ahead[1], ahead[0])
        T_world_cam = compose(from_yaw(yaw)[:3, :3] @ [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], T_world_cam[:3, 3])
    pose = Pose(ego_of_camera(T_world_cam, "aligned", "ego_camera"), "q")
    base = T_world_cam[:3, 3] * ([1, 1, 0] if frame == "ego_level" else [1, 1, 1])
    heading = math.atan2(T_world_cam[1, 2], T_world_cam[0, 2]) + angle
    thing = base + np.array([distance * math.cos(heading), distance * math.sin(heading), height])
    found = pose.aligning(AlignConfig("transform", frame), "aligned", 0).points(thing)
    expected = [distance * math.cos(angle), distance * math.sin(angle), height]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(seeds, frames)
def test_transform_and_back_gives_the_world(seed: int, frame: EgoFrame) -> None:
    alignment = a_pose(seed).aligning(AlignConfig("transform", frame, perturbation=WIDE), "aligned", 0)
    p = some_points(seed)
    there = alignment.points(p)
    assert np.abs(there - p).max() > 0.1
    np.testing.assert_allclose(apply(invert(alignment.T_frame_world), there), p, atol=1e-9)
    np.testing.assert_allclose(alignment.ego.to_world(there, frame), p, atol=1e-9)


@given(seeds, modes, frames)
def test_a_raw_world_gives_the_same_through_its_alignment_and_is_refused_without(
    seed: int, mode: Mode, frame: EgoFrame
) -> None:
    T, p_raw, config = an_alignment(seed), some_points(seed), AlignConfig(mode, frame)
    raw = Pose(ego_of_camera(a_camera(seed), "raw", "ego_camera"), "q", CAMERA)
    there = Pose(ego_of_camera(T @ a_camera(seed), "aligned", "ego_camera"), "q", CAMERA)
    expected = there.aligning(config, "aligned", 0)
    for ego in (raw.ego, there.ego):
        found = Pose(ego, "q", CAMERA, T).aligning(config, "raw", 0)
        np.testing.assert_allclose(found.points(p_raw), expected.points(apply(T, p_raw)), atol=1e-9)
        if mode == "embed":
            beside = expected.beside(apply(T, p_raw))
            np.testing.assert_allclose(found.beside(p_raw), beside, atol=1e-5)
    for pose in (raw, there):
        with pytest.raises(ContractError, match="not of a world") as caught:
            pose.aligning(config, "raw", 0)
        assert caught.value.where == "q"
    if mode != "none":
        with pytest.raises(ContractError, match="two worlds"):
            raw.aligning(config, "aligned", 0)


@pytest.mark.parametrize("mode", MODES)
def test_mirrored_worlds_and_coordinates_of_an_ego_are_refused(mode: Mode) -> None:
    config, pose = AlignConfig(mode), a_pose(1)
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    for wrong in (mirror, 2 * np.eye(4), np.full((4, 4), np.nan)):
        with pytest.raises(ContractError, match="not a rigid transform"):
            replace(pose, T_aligned_raw=wrong).aligning(config, "raw", 0)
    with pytest.raises(ContractError, match="not a rigid transform"):
        ego_of_camera(mirror @ a_camera(1), "aligned", "ego_camera")
    for frame in ("ego_level", "ego_camera", "camera"):
        with pytest.raises(ContractError, match="not of a world"):
            pose.aligning(config, frame, 0)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "none"])
def test_a_level_pose_has_no_camera_to_align_to(mode: Mode) -> None:
    level = replace(a_pose(1), ego=a_pose(1).ego.seen_as("ego_level"))
    with pytest.raises(ContractError, match="wrong frame"):
        level.aligning(AlignConfig(mode, "ego_camera"), "aligned", 0)
    found = level.aligning(AlignConfig(mode), "aligned", 0).ego.T_world_ego
    np.testing.assert_array_equal(found, a_pose(1).aligning(AlignConfig(mode), "aligned", 0).ego.T_world_ego)


@given(seeds, frames)
def test_a_perturbed_pose_is_one_pose_whatever_the_way_of_telling_it(seed: int, frame: EgoFrame) -> None:
    pose, p = a_pose(seed), some_points(seed)
    ways = {
        mode: pose.aligning(AlignConfig(mode, frame, perturbation=WIDE), "aligned", 5)  # type: ignore[arg-type]
        for mode in ("transform", "prompt", "embed")
    }
    expected = perturbed(pose.ego.seen_as(frame), WIDE, 5, pose.key, 0)
    for way in ways.values():
        np.testing.assert_array_equal(way.ego.T_world_ego, expected.T_world_ego)
    np.testing.assert_allclose(ways["transform"].points(p), expected.to_ego(p, "aligned"), atol=1e-9)
    beside = ways["embed"].beside(p)
    assert beside is not None
    np.testing.assert_array_equal(beside[0], pose_numbers(expected))
    told, _ = split_pose(ways["prompt"].question("?"))
    np.testing.assert_allclose(told.T_world_ego, expected.T_world_ego, atol=0.006)


def test_seed_question_and_draw_decide_a_perturbation_and_nothing_else() -> None:
    config, pose = AlignConfig(perturbation=WIDE), a_pose(1)

    def place(pose: Pose, seed: int, draw: int) -> bytes:
        return pose.aligning(config, "aligned", seed, draw).T_frame_world.tobytes()

    assert place(pose, 1, 0) == pose.aligning(config, "aligned", 1).T_frame_world.tobytes()
    others = [place(pose, 2, 0), place(pose, 1, 1), place(replace(pose, key="q2"), 1, 0)]
    assert len({place(pose, 1, 0), *others}) == 4
    plain = AlignConfig()
    assert pose.aligning(plain, "aligned", 1, 3).T_frame_world.tobytes() == (
        pose.aligning(plain, "aligned", 9, 7).T_frame_world.tobytes()
    )


@given(seeds)
def test_embedded_numbers_are_those_of_the_published_and_the_papers_formula(seed: int) -> None:
    pose, p = a_pose(seed), some_points(seed).reshape(4, 5, 3)
    view = pose.aligning(AlignConfig("embed", "ego_camera", "pose_view"), "aligned", 0)
    np.testing.assert_array_equal(view.beside(p), token_numbers(p, "aligned", pose.ego, CAMERA))
    point = pose.aligning(AlignConfig("embed", "ego_camera"), "aligned", 0)
    beside, whole = point.beside(p), additive_numbers(p, "aligned", pose.ego)
    assert beside is not None
    np.testing.assert_array_equal(np.concatenate([beside, p.astype(np.float32)], axis=-1), whole)


def test_the_view_of_an_ego_without_a_camera_is_refused() -> None:
    blind = replace(a_pose(1), camera=None)
    view = blind.aligning(AlignConfig("embed", "ego_camera", "pose_view"), "aligned", 0)
    with pytest.raises(ContractError, match="needs that camera"):
        view.beside(some_points(1))


def test_a_place_is_told_in_the_aligned_world_and_not_where_the_asker_is_the_origin() -> None:
    T, pose = from_yaw(0.3, (5.0, -1.0, 0.0)), a_pose(1)
    for mode in ("prompt", "embed", "none"):
        config = AlignConfig(mode, "ego_camera")  # type: ignore[arg-type]
        assert pose.aligning(config, "aligned", 0).place(1.0, 2.0, 0.5) == pytest.approx((1.0, 2.0, 0.5))
        raw = replace(pose, T_aligned_raw=T).aligning(config, "raw", 0).place(1.0, 2.0, 0.5)
        assert raw == pytest.approx((*apply(T, np.array([1.0, 2.0, 0.0]))[:2], 0.8))
    for frame in FRAMES:
        assert pose.aligning(AlignConfig("transform", frame), "aligned", 0).place(1.0, 2.0, 0.5) is None


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"mode": "embed", "numbers": "pose_view"}, "frame"),
        ({"mode": "none", "perturbation": WIDE}, "perturbation"),
        ({"perturbation": Perturbation(tilt_std_deg=1.0)}, "perturbation.tilt_std_deg"),
        ({"perturbation": Perturbation(position_mean_m=(0.0, 0.0, 0.1))}, "perturbation.position_mean_m"),
    ],
)
def test_a_configuration_that_cannot_be_followed_names_its_key(wrong: dict[str, object], key: str) -> None:
    with pytest.raises(ParameterError) as caught:
        AlignConfig(**wrong)  # type: ignore[arg-type]
    assert caught.value.where == key


def test_parameters_are_read_and_unknown_words_are_refused_by_key() -> None:
    read = TypeAdapter(AlignConfig).validate_python
    assert read({"mode": "embed", "perturbation": {"yaw_std_deg": 5.0}}) == AlignConfig(
        "embed", perturbation=Perturbation(yaw_std_deg=5.0)
    )
    for key, word in (("mode", "project"), ("frame", "aligned"), ("numbers", "six")):
        with pytest.raises(ValidationError) as caught:
            read({key: word})
        assert caught.value.errors()[0]["loc"] == (key,)


def test_a_configuration_tells_the_frame_of_what_it_makes() -> None:
    for mode in MODES:
        for frame in FRAMES:
            expected = frame if mode == "transform" else "aligned"
            assert AlignConfig(mode, frame).sample_frame == expected
