import numpy as np
import pytest
from ego_poses import a_camera, seeds
from hypothesis import given
from hypothesis import strategies as st

from vantage.align.ego import EgoPose, ego_of_camera
from vantage.align.prompt import pose_sentence, published_pose_text, split_pose, with_pose
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.transforms import compose, from_yaw

frames = st.sampled_from(["ego_level", "ego_camera"])
LEVEL = EgoPose(from_yaw(np.pi / 2, (1.0, -0.004, 0.0)), "aligned", "ego_level")


def test_the_sentence_has_fixed_decimals_and_no_negative_zero() -> None:
    assert pose_sentence(LEVEL) == (
        "You stand at (1.00, 0.00, 0.00) in the aligned world, in metres. "
        "Ahead is (0.000, 1.000, 0.000), left is (-1.000, 0.000, 0.000), up is (0.000, 0.000, 1.000)."
    )


@given(seeds, frames, st.sampled_from(["raw", "aligned"]))
def test_the_pose_comes_back_within_rounding(seed: int, frame: Frame, world: Frame) -> None:
    if (frame, world) == ("ego_level", "raw"):
        frame = "ego_camera"
    ego = ego_of_camera(a_camera(seed), world, frame)
    found, question = split_pose(with_pose("What is to my left?", ego))
    assert (found.world, found.frame, question) == (world, frame, "What is to my left?")
    assert np.abs(found.T_world_ego[:3, 3] - ego.T_world_ego[:3, 3]).max() <= 0.005 + 1e-9
    off = found.T_world_ego[:3, :3] - ego.T_world_ego[:3, :3]
    assert np.linalg.norm(off) <= 2 * 3 * 0.0005  # the rounding itself, and what the nearest rotation adds
    np.testing.assert_allclose(found.T_world_ego[:3, :3].T @ found.T_world_ego[:3, :3], np.eye(3), atol=1e-12)


@given(seeds)
def test_poses_that_differ_have_texts_that_differ(seed: int) -> None:
    ego = ego_of_camera(a_camera(seed), "aligned", "ego_camera")
    moved = EgoPose(ego.T_world_ego.copy(), "aligned", "ego_camera")
    moved.T_world_ego[0, 3] += 0.02
    texts = {pose_sentence(pose) for pose in (ego, moved, ego.turned(0.01))}
    assert len(texts) == 3
    raw = EgoPose(ego.T_world_ego, "raw", "ego_camera")
    assert pose_sentence(raw) != pose_sentence(ego)


def test_a_pose_is_put_before_a_question_once() -> None:
    text = with_pose("Where is the chair?", LEVEL)
    assert text.endswith("(0.000, 0.000, 1.000). Where is the chair?")
    with pytest.raises(ContractError, match="has a pose already"):
        with_pose(text, LEVEL)
    assert split_pose(with_pose("", LEVEL))[1] == ""


def test_what_is_no_pose_is_refused() -> None:
    for text in (
        "Where is the chair?",
        with_pose("x", LEVEL).replace("0.000", "0"),
        " " + pose_sentence(LEVEL),
    ):
        with pytest.raises(ContractError, match="does not begin with a pose"):
            split_pose(text)
    mirrored = pose_sentence(LEVEL).replace("left is (-1.000", "left is (1.000")
    with pytest.raises(ContractError, match="not the axes of a pose"):
        split_pose(mirrored)
    floating = pose_sentence(LEVEL).replace("0.00)", "0.30)")
    with pytest.raises(ContractError, match="no pitch, roll or height"):
        split_pose(floating)


def test_the_published_text_is_numpys_print_whatever_the_print_options() -> None:
    R = np.array([[0.0, 0.5, 0.123456789], [-1.0, 0.0, 0.0], [0.0, 1e-9, 2.0]])
    T = compose(R, np.array([1.5, -2.25, 3.0]))
    expected = (
        "position [ 1.5  -2.25  3.  ], front: [0.12345679 0.         2.        ], "
        "left: [-0.  1. -0.], up: [-5.e-01 -0.e+00 -1.e-09]"
    )
    assert published_pose_text(T) == expected
    with np.printoptions(precision=2, suppress=True):
        assert published_pose_text(T) == expected
