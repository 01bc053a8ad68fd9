"""Asking a trained vision-language model: prompts as it was trained with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent / "evaluation"))  # made_workspace
from made_workspace import _question, look

import pocket_as_vlm
from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.ego import EgoPose
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import invert, level_ego
from vantage.models import question_answers
from vantage.models.grounded.prompts import locate_prompt
from vantage.models.loading import load_vlm
from vantage.models.prompts import Preparer
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.request import Request
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.models.vlm.trained import TrainedVlm
from vantage.records.box_lattice import METRIC

CAMERA = Pinhole(64, 48, 60.0, 60.0, 31.5, 23.5)


def test_a_told_pose_stands_before_the_first_prompt_as_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = load_vlm(pocket_as_vlm.write(tmp_path))
    prepare, told = Preparer.load(base.model, base.folder), AlignConfig(mode="prompt")
    vlm = TrainedVlm(SpatialVlm(base.model, VlmConfig(None), 0), prepare, told, "grounded")
    T_aligned_ego = level_ego(look(0.5, 1.0, 2.0))
    question = _question("room0000_00", 0, [0], T_aligned_ego)
    pose = Pose(EgoPose(T_aligned_ego, "aligned", "ego_level"), "sample", CAMERA)

    def shown(*turns: Turn) -> Sample:
        view = View("room/frame 0", lambda: None, None, np.eye(4))
        return aligned(Sample("sample", (view,), (turns,), "aligned"), pose, told, 0)

    asked: list[Request] = []

    def reply(_generator: Generator, request: Request) -> str:
        asked.append(request)
        return "none"

    monkeypatch.setattr(question_answers, "_text", reply)
    generator, one = Generator(prepare, Decoding()), shown(Turn(question.question))
    (found,) = question_answers._grounded(vlm, generator, one, [(question, one.dialogs[0])], CAMERA, (64, 48))
    trained = shown(Turn(locate_prompt(question.question, METRIC), "none"), Turn("and so?", "front-left"))
    first = "<image>" + trained.dialogs[0][0].question
    assert found == (question, "none") and "You stand at" in first
    assert [request.turns[0].question for request in asked] == [first, first]
    assert [len(request.turns) for request in asked] == [1, 2]


@pytest.mark.parametrize("frame", ["aligned", "ego_level"])
def test_boxes_are_read_in_the_ego_s_frame_whatever_frame_the_points_are_in(frame: Frame) -> None:
    T_aligned_cam = look(0.5, 1.0, 2.0)
    T_aligned_ego = level_ego(T_aligned_cam)
    question = _question("room0000_00", 0, [0], T_aligned_ego)
    T = T_aligned_cam if frame == "aligned" else invert(T_aligned_ego) @ T_aligned_cam
    sample = Sample("s", (View("v", lambda: None, None, T),), ((Turn("where?"),),), frame)
    view = question_answers._ego_view(sample, question, CAMERA)
    assert view.frame == "ego_level" and np.allclose(view.T_frame_cam, look(0.0, 0.0, 0.0), atol=1e-9)


def test_boxes_of_a_frame_that_is_not_level_are_refused() -> None:
    sample = Sample("s", (View("v", lambda: None, None, np.eye(4)),), ((Turn("where?"),),), "ego_camera")
    question = _question("room0000_00", 0, [0], np.eye(4))
    with pytest.raises(ContractError, match="wrong frame"):
        question_answers._ego_view(sample, question, CAMERA)
