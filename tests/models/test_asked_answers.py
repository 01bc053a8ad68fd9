"""Asking a trained vision-language model: prompts as it was trained with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent / "evaluation"))  # made_workspace
from made_workspace import _question, look
from PIL import Image

import pocket_as_vlm
from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.ego import EgoPose
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import invert, level_ego
from vantage.models import question_answers
from vantage.models.grounded.asking import ego_view
from vantage.models.grounded.prompts import locate_prompt
from vantage.models.loading import load_vlm
from vantage.models.prompts import Preparer
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.models.vlm.trained import TrainedVlm
from vantage.records.box_lattice import METRIC

CAMERA = Pinhole(64, 48, 60.0, 60.0, 31.5, 23.5)


class Kept(Generator):
    """Keeps what it is asked, and answers everything with the same word."""

    def __init__(self, prepare: Preparer) -> None:
        super().__init__(prepare, Decoding())
        self.asked: list[Request] = []

    def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated | Refused]]:
        self.asked += requests
        yield [Generated(one.id, "none", "eos", (1,), 9, (1.0,)) for one in requests]


def test_a_told_pose_stands_before_the_first_prompt_as_in_training(tmp_path: Path) -> None:
    base = load_vlm(pocket_as_vlm.write(tmp_path))
    prepare, told = Preparer.load(base.model, base.folder), AlignConfig(mode="prompt")
    vlm = TrainedVlm(SpatialVlm(base.model, VlmConfig(None), 0), prepare, told, "grounded")
    T_aligned_ego = level_ego(look(0.5, 1.0, 2.0))
    question = _question("room0000_00", 0, [0], T_aligned_ego)
    pose = Pose(EgoPose(T_aligned_ego, "aligned", "ego_level"), "sample", CAMERA)

    def shown(*turns: Turn) -> Sample:
        view = View("room/frame 0", lambda: None, None, np.eye(4))
        return aligned(Sample("sample", (view,), (turns,), "aligned"), pose, told, 0)

    generator, one = Kept(prepare), shown(Turn(question.question))
    (found,) = question_answers._grounded(vlm, generator, one, [question], CAMERA, (64, 48))
    trained = shown(Turn(locate_prompt(question.question, METRIC), "none"), Turn("and so?", "front-left"))
    first = "<image>" + trained.dialogs[0][0].question
    assert found == (question, "none") and "You stand at" in first
    assert [request.turns[0].question for request in generator.asked] == [first, first]
    assert [len(request.turns) for request in generator.asked] == [1, 2]


@pytest.mark.parametrize("frame", ["aligned", "ego_level"])
def test_boxes_are_read_in_the_ego_s_frame_whatever_frame_the_points_are_in(frame: Frame) -> None:
    T_aligned_cam = look(0.5, 1.0, 2.0)
    T_aligned_ego = level_ego(T_aligned_cam)
    question = _question("room0000_00", 0, [0], T_aligned_ego)
    T = T_aligned_cam if frame == "aligned" else invert(T_aligned_ego) @ T_aligned_cam
    sample = Sample("s", (View("v", lambda: None, None, T),), ((Turn("where?"),),), frame)
    view = ego_view(sample, question.T_aligned_ego, CAMERA)
    assert view.frame == "ego_level" and np.allclose(view.T_frame_cam, look(0.0, 0.0, 0.0), atol=1e-9)


def test_boxes_of_a_frame_that_is_not_level_are_refused() -> None:
    sample = Sample("s", (View("v", lambda: None, None, np.eye(4)),), ((Turn("where?"),),), "ego_camera")
    question = _question("room0000_00", 0, [0], np.eye(4))
    with pytest.raises(ContractError, match="wrong frame"):
        ego_view(sample, question.T_aligned_ego, CAMERA)


def test_a_question_that_does_not_fit_is_named_and_the_others_are_answered(tmp_path: Path) -> None:
    base = load_vlm(pocket_as_vlm.write(tmp_path))
    prepare = Preparer.load(base.model, base.folder)
    vlm = TrainedVlm(SpatialVlm(base.model, VlmConfig(None), 0), prepare, None, "grounded")
    image = Image.new("RGB", (64, 48), (90, 30, 60))
    texts = ("where is the red chair from me?", "where " * 3000, "is there a red chair?")
    questions = [
        replace(_question("room0000_00", k, [0], np.eye(4)), question_id=f"q{k}", question=text)
        for k, text in enumerate(texts)
    ]
    sample = Sample("s", (View("v", lambda: image, None, np.eye(4)),), tuple((Turn(t),) for t in texts))
    generator = vlm.generator(Decoding(4))
    found = {
        question.question_id: answer
        for question, answer in question_answers._grounded(
            vlm, generator, sample, questions, CAMERA, (64, 48)
        )
    }
    assert list(found) == ["q0", "q1", "q2"]
    assert isinstance(found["q1"], Refused) and "tokens" in found["q1"].reason
    assert isinstance(found["q0"], str) and isinstance(found["q2"], str)
