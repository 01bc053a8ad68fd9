"""PoseAlign by prompt: the pose as a sentence before the question, and back.

`with_pose` is the one place where the sentence meets a question, for training and evaluation alike. It never
looks for a token to stand behind: the published training code does, finds the token already replaced, and so
trains without poses.
"""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float, Float64

from vantage.align.ego import EgoPose
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.transforms import compose, nearest_rotation

POSITION_DECIMALS = 2
AXIS_DECIMALS = 3

_STANCE: dict[str, Frame] = {"You stand at": "ego_level", "Your eyes are at": "ego_camera"}
_OPENING: dict[Frame, str] = {frame: words for words, frame in _STANCE.items()}
_VECTOR = r"\((-?\d+\.\d+), (-?\d+\.\d+), (-?\d+\.\d+)\)"
_SENTENCE = re.compile(
    rf"({'|'.join(_STANCE)}) {_VECTOR} in the (raw|aligned) world, in metres\. "
    rf"Ahead is {_VECTOR}, left is {_VECTOR}, up is {_VECTOR}\."
)


def pose_sentence(ego: EgoPose) -> str:
    """The pose in words: place (m, 2 decimals) and the three axes (3 decimals) in the pose's world.

    The same pose gives the same text everywhere: fixed decimals, never a negative zero.
    """
    R, t = ego.T_world_ego[:3, :3], ego.T_world_ego[:3, 3]
    ahead, left, up = (_vector(R[:, k], AXIS_DECIMALS) for k in range(3))
    place = _vector(t, POSITION_DECIMALS)
    return (
        f"{_OPENING[ego.frame]} {place} in the {ego.world} world, in metres. "
        f"Ahead is {ahead}, left is {left}, up is {up}."
    )


def with_pose(question: str, ego: EgoPose) -> str:
    """The question with the pose's sentence before it; `ContractError` when a pose is there already."""
    if _SENTENCE.match(question):
        raise ContractError(
            "the question has a pose already", expected="a bare question", found=question[:120]
        )
    return f"{pose_sentence(ego)} {question}"


def split_pose(text: str) -> tuple[EgoPose, str]:
    """The pose and the question of `with_pose`.

    The place is right within half of its last decimal, each axis within three halves of its last
    decimal (the nearest rotation to what was written). `ContractError` when the text does not begin with a
    pose, or its axes are not those of a rotation.
    """
    found = _SENTENCE.match(text)
    if found is None:
        raise ContractError(
            "the text does not begin with a pose",
            expected="a text of with_pose: 'You stand at (x, y, z) in the aligned world, ...'",
            found=text[:120],
        )
    numbers = np.array([float(found[i]) for i in (*range(2, 5), *range(6, 15))]).reshape(4, 3)
    written = numbers[1:].T
    R = nearest_rotation(written)
    if np.abs(R - written).max() > 2 * 10.0**-AXIS_DECIMALS:
        raise ContractError(
            "ahead, left and up are not the axes of a pose",
            expected="three right-angled unit vectors, right-handed",
            found=found[0],
        )
    world: Frame = "raw" if found[5] == "raw" else "aligned"
    pose = EgoPose(compose(R, numbers[0]), world, _STANCE[found[1]])
    return pose, text[found.end() :].removeprefix(" ")


def published_pose_text(T_raw_cam: Float[np.ndarray, "4 4"]) -> str:
    """The pose (camera to raw world) as PoseAlign3D's evaluation writes it, for its released weights.

    NumPy's own print of arrays: 8 digits, no commas, perhaps a negative zero. Its prefix around this text is
    not reproduced.
    """
    R, t = np.asarray(T_raw_cam[:3, :3]), np.asarray(T_raw_cam[:3, 3])
    with np.printoptions(
        edgeitems=3, floatmode="maxprec", linewidth=75, precision=8, sign="-", suppress=False, threshold=1000
    ):
        return f"position {t}, front: {R[:, 2]}, left: {-R[:, 0]}, up: {-R[:, 1]}"


def _vector(values: Float64[np.ndarray, "3"], decimals: int) -> str:
    # Adding zero turns a negative zero into a positive one.
    return "(" + ", ".join(f"{round(float(value), decimals) + 0.0:.{decimals}f}" for value in values) + ")"
