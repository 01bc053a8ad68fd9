"""Poses that annotations state, on hand-made rows and on SQA3D's own files."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError
from vantage.geometry.transforms import apply, from_yaw, invert, is_rigid, yaw_of
from vantage.recover.annotated import describer_pose, situation_pose

# An L-shaped room: the middle of its box turns with it, and is not where the middle of the turned box is.
L_SHAPE = np.array([[0, 0, 0], [6, 0, 0], [6, 2, 0], [2, 2, 0], [2, 5, 0], [0, 5, 2.6]], dtype=np.float64)


def row(x: float, y: float, yaw: float, sign: float = 1.0) -> dict[str, dict[str, float]]:
    """An annotation; `_w` first, as one of the files has it."""
    rotation = {"_w": sign * math.cos(yaw / 2), "_x": 0, "_y": 0, "_z": sign * math.sin(yaw / 2)}
    return {"position": {"x": x, "y": y, "z": 0}, "rotation": rotation}


@pytest.mark.parametrize("yaw", [0.0, 0.7, -2.0, 3.1])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_person_faces_the_local_minus_x_axis(yaw: float, sign: float) -> None:
    choice = situation_pose(row(1.0, -0.5, yaw, sign), L_SHAPE, np.eye(4))
    assert (choice.source, choice.world, choice.pose) == ("situation", "aligned", "ego_level")
    assert not choice.uses_target
    assert choice.T_world_pose is not None
    assert is_rigid(choice.T_world_pose)
    forward = Rotation.from_quat([0, 0, math.sin(yaw / 2), math.cos(yaw / 2)]).apply([-1.0, 0, 0])
    np.testing.assert_allclose(choice.T_world_pose[:3, 0], forward, atol=1e-12)
    np.testing.assert_allclose(choice.T_world_pose[:3, 3], [4.0, 2.0, 0.0])  # (1, -0.5) from (3, 2.5)


def test_the_two_origins_agree_without_a_turn_and_differ_with_one() -> None:
    annotated = row(1.0, -0.5, 0.4)
    for shift in (from_yaw(0.0, (3.0, -1.0, 0.2)), from_yaw(0.5, (3.0, -1.0, 0.2))):
        raw = apply(invert(shift), L_SHAPE)  # the aligned mesh is L_SHAPE
        centred = situation_pose(annotated, raw, shift, "aligned_centred").T_world_pose
        authors = situation_pose(annotated, raw, shift, "raw_midpoint").T_world_pose
        assert centred is not None
        assert authors is not None
        np.testing.assert_allclose(centred[:2, 3], [4.0, 2.0])
        turn = yaw_of(shift)
        assert yaw_of(authors) - yaw_of(centred) == pytest.approx(turn, abs=1e-9)
        assert (np.linalg.norm(authors[:2, 3] - centred[:2, 3]) > 0.2) == (turn != 0)
    # By hand: the raw middle plus the position, then the alignment.
    middle = (raw.min(axis=0) + raw.max(axis=0)) / 2
    expected = apply(shift, np.array([middle[0] + 1.0, middle[1] - 0.5, 0.0]))
    np.testing.assert_allclose(authors[:2, 3], expected[:2])


@pytest.mark.parametrize(
    "broken",
    [
        {"rotation": row(0, 0, 0)["rotation"]},
        {"position": {"x": 0, "y": 0}, "rotation": row(0, 0, 0)["rotation"]},
        {"position": {"x": 0, "y": 0, "z": 0}, "rotation": [0, 0, 0, 1]},
        {"position": {"x": float("nan"), "y": 0, "z": 0}, "rotation": row(0, 0, 0)["rotation"]},
        {"position": {"x": "1", "y": 0, "z": 0}, "rotation": row(0, 0, 0)["rotation"]},
        {"position": {"x": 0, "y": 0, "z": 0}, "rotation": {"_x": 0, "_y": 0, "_z": 0, "_w": 0}},
        {"position": {"x": 0, "y": 0, "z": 0}, "rotation": {"_x": 0.7, "_y": 0, "_z": 0, "_w": 0.7}},
    ],
)
def test_rows_that_state_no_pose(broken: dict[str, object]) -> None:
    with pytest.raises(ContractError) as caught:
        situation_pose(broken, L_SHAPE, np.eye(4), where="question 7")
    assert "question 7" in str(caught.value)


def test_every_annotation_of_sqa3d_states_a_pose(shared_data: Path) -> None:
    for name in ("v1_balanced_sqa_annotations_val_scannetv2", "v1_localization_annotations_test_scannetv2"):
        rows = json.loads((shared_data / "sqa3d" / f"{name}.json").read_text())["annotations"]
        assert len(rows) > 1900
        for one in rows[::7]:
            pose = situation_pose(one, L_SHAPE, np.eye(4)).T_world_pose
            assert pose is not None
            assert is_rigid(pose)
            quaternion = [one["rotation"][key] for key in ("_x", "_y", "_z", "_w")]
            forward = Rotation.from_quat(quaternion).apply([-1.0, 0, 0])
            np.testing.assert_allclose(pose[:3, 0], forward, atol=1e-6)


def test_the_describer_looks_at_what_is_described() -> None:
    camera = {"position": [1.0, 2.0, 1.5], "rotation": [0, 0, 0], "lookat": [3.0, -1.0, 0.5]}
    choice = describer_pose({"id": "scene0000_00-3_0", "camera": camera})
    assert (choice.source, choice.world, choice.pose) == ("describer", "raw", "camera")
    assert choice.uses_target  # the describer had the target in view
    T = choice.T_world_pose
    assert T is not None
    assert is_rigid(T)
    x, y, z = apply(invert(T), np.array(camera["lookat"], dtype=np.float64))
    np.testing.assert_allclose([x, y, z], [0, 0, math.sqrt(4 + 9 + 1)], atol=1e-12)
    assert T[2, 1] < 0  # the picture's down is the world's down
    assert T[2, 0] == pytest.approx(0)  # and its right is level


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"camera": [1, 2, 3]},
        {"camera": {"position": [0, 0, 1.5], "lookat": [0, 0, 0.5]}},
        {"camera": {"position": [0, 0, 1.5], "lookat": [0, 0, 1.5]}},
        {"camera": {"position": [0, 0], "lookat": [1, 0, 1.5]}},
        {"camera": {"position": [0, 0, float("inf")], "lookat": [1, 0, 1.5]}},
    ],
)
def test_rows_without_a_viewpoint(broken: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        describer_pose(broken)
