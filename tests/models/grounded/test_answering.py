"""The two turns in one call: with scripted replies, and with a real model whose text is whatever it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_vlms import CASES

from question_rooms import CAMERA, random_scene, scan_task
from vantage.geometry.transforms import invert
from vantage.models.grounded.answering import GroundedAnswer, ground_and_answer
from vantage.models.grounded.dialogs import scan_dialogs
from vantage.models.grounded.prompts import NOTHING
from vantage.models.grounded.view import EgoView
from vantage.models.vlm.sample import Turn
from vantage.questions.config import SynthesizeConfig
from vantage.questions.stage import synthesize
from vantage.records.frames import kept_frames
from vantage.records.questions import Question, read_questions
from vantage.records.scan import read_scan

BOXES = "bbox_0=Bbox(red chair,500,500,200,0,100,200,100)\nbbox_1=Bbox(blue table,700,500,300,0,200,150,200)"
REASON = "<think>d0 = sqrt(2.00^2 + 0.00^2) = {d0}\nd1 = sqrt(3.00^2 + (-0.92)^2) = 3.14\n" \
    "a = yes if {d0} < 3.14 else no = {word}</think> {word}"  # fmt: skip
LEVEL = EgoView.level(CAMERA)


class Script:
    """Replies in order; keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Turn, ...]] = []

    def __call__(self, turns: Sequence[Turn]) -> str:
        self.asked.append(tuple(turns))
        return self.replies[len(self.asked) - 1]


def answer(*replies: str, correct: bool = False) -> tuple[GroundedAnswer, Script]:
    script = Script(*replies)
    return ground_and_answer(script, "is it nearer?", LEVEL, correct=correct), script


def test_what_was_trained_is_what_is_asked(tmp_path: Path) -> None:
    """A model that has learned its training dialogs by heart answers every question: prompts are the same."""
    task = scan_task(tmp_path, "room0001_00", random_scene(np.random.default_rng(4)))
    synthesize(task, SynthesizeConfig())
    extract = task.inputs["extract"]
    meta, poses = read_scan(extract), {f.frame_id: f.T_raw_cam for f in kept_frames(extract)}
    dialogs = scan_dialogs(extract, task.out)
    asked = over_boxes = 0
    for q in read_questions(task.out):
        turns = dialogs.turns[q.question_id]
        learned = {(turns[0].question,): turns[0].answer, tuple(t.question for t in turns): turns[1].answer}
        view = EgoView(meta.color, _pose(q, meta.T_aligned_raw, poses))
        found = ground_and_answer(lambda t: learned[tuple(x.question for x in t)], q.question, view)  # noqa: B023
        assert found.answer == q.answer and found.bad == () and found.frame == "ego_level"
        asked += 1
        if q.question_id in dialogs.told:
            assert found.reasoning == q.reasoning
            continue
        over_boxes += 1
        assert found.checked is not None and found.checked.wrong == ()
        assert [step.unsourced for step in found.checked.steps if step.unsourced] == []
        assert [box.view_box.label for box in found.boxes] == q.evidence["names"]
    assert asked == len(dialogs.turns) > over_boxes > 30


def test_a_lie_in_the_first_step_is_always_found_and_undone(tmp_path: Path) -> None:
    """The first square root off by a tenth or more, whatever repeats it too, and another answer."""
    task = scan_task(tmp_path, "room0001_00", random_scene(np.random.default_rng(6)))
    synthesize(task, SynthesizeConfig())
    extract, rng = task.inputs["extract"], np.random.default_rng(0)
    meta, poses = read_scan(extract), {f.frame_id: f.T_raw_cam for f in kept_frames(extract)}
    dialogs, told = scan_dialogs(extract, task.out), 0
    for q in read_questions(task.out):
        turns = dialogs.turns[q.question_id]
        if q.question_id in dialogs.told or q.family not in ("distance", "nearest", "nearest_to"):
            continue
        head, true, tail = re.split(r"(?<=\)) = ([0-9.]+)", turns[1].answer, maxsplit=1)
        lie = f"{float(true) * rng.uniform(1.1, 3):.2f}"
        wrong = {"yes": "no", "no": "yes", "six": "one"}.get(q.answer, "six")
        said = re.sub("</think>.*", f"</think> {wrong}", f"{head} = {lie}{tail.replace(true, lie)}")
        replies = Script(turns[0].answer, said)
        view = EgoView(meta.color, _pose(q, meta.T_aligned_raw, poses))
        found = ground_and_answer(replies, q.question, view, correct=True)
        assert found.checked is not None and found.checked.steps[0].agrees is False
        assert (found.said, found.answer) == (wrong, q.answer)
        told += 1
    assert told > 10


def _pose(q: Question, T_aligned_raw: np.ndarray, poses: dict[int, np.ndarray]) -> np.ndarray:
    return invert(q.T_aligned_ego) @ T_aligned_raw @ poses[q.ego_frame_id]


def test_the_second_turn_holds_the_first_and_the_boxes_in_metres() -> None:
    found, script = answer(BOXES, REASON.format(d0="2.00", word="yes"))
    (first,), (again, second) = script.asked
    assert again == Turn(first.question, BOXES) and first.answer == second.answer == ""
    assert "bbox_0: red chair, x 2.00, y 0.00, z 0.00, w 0.50, l 0.50, h 1.00" in second.question
    assert second.question.count("is it nearer?") == 1 and "is it nearer?" in first.question
    assert found.answer == found.said == "yes" and found.reasoning.startswith("d0 = ")
    np.testing.assert_allclose(found.boxes[0].box.center, [2.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(found.boxes[1].box.center, [3.0, -0.2 * 384 / 250 * 3, 0.0], atol=1e-9)
    assert found.checked is not None and all(s.agrees for s in found.checked.steps)


def test_a_wrong_step_is_flagged_and_the_answer_corrected_where_asked() -> None:
    wrong = REASON.format(d0="4.00", word="no")
    found, _ = answer(BOXES, wrong)
    assert found.answer == "no" and found.checked is not None
    assert [s.agrees for s in found.checked.steps] == [False, True, True]
    found, _ = answer(BOXES, wrong, correct=True)
    assert (found.answer, found.said) == ("yes", "no")


def test_half_broken_boxes_leave_the_others() -> None:
    broken = "Sure!\n" + BOXES.replace("bbox_1=Bbox(blue table,700", "bbox_1=Bbox(blue table,seven")
    found, script = answer(broken, REASON.format(d0="2.00", word="yes"))
    assert [box.name for box in found.boxes] == ["bbox_0"]
    assert [bad.line for bad in found.bad] == [1, 3]
    assert "bbox_1" not in script.asked[1][1].question
    assert script.asked[1][0].answer == broken, "the model is shown its own words"
    assert found.checked is not None and found.checked.steps[1].unsourced == ("3.00", "-0.92")


@pytest.mark.parametrize("reply", ["", "  \n", "none", "None"])
def test_nothing_located(reply: str) -> None:
    found, script = answer(reply, "no")
    assert found.boxes == () and found.bad == () and found.answer == "no"
    assert script.asked[1][0].answer == (reply.strip() or NOTHING)
    assert "No box was found." in script.asked[1][1].question


@pytest.mark.parametrize("reply", ["", "<think>", "<think>a = 1", "</think>", "<think></think>", "\x00(((=="])
def test_any_second_reply(reply: str) -> None:
    found, _ = answer(BOXES, reply, correct=True)
    assert found.answer == found.said


def test_checking_is_an_option() -> None:
    found = ground_and_answer(Script(BOXES, "yes"), "?", LEVEL, check_steps=False)
    assert found.checked is None and found.answer == "yes"


ALPHABET = " bBox_0123456789=(,)chair.+-*/<>think\nsqrt^yesno2345678abdef"


@pytest.mark.parametrize("seed", range(3))
def test_a_real_model_of_random_weights(seed: int) -> None:
    """A LLaVA of transformers that generates; its tokens are letters, so that boxes come by chance only."""
    case = CASES["llava"]()
    one = {name: value[-1:] for name, value in case.text.items()}
    spent: list[int] = []

    def ask(turns: Sequence[Turn]) -> str:
        said = "\n".join(f"{turn.question}\n{turn.answer}" for turn in turns)
        words = torch.tensor([[14 + sum(map(ord, word)) % 50 for word in re.findall(r"\w+", said)]])
        ids = torch.cat([one["input_ids"], words], 1)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            out = case.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids),
                pixel_values=case.pixels["pixel_values"][-1:],
                max_new_tokens=40, min_new_tokens=40, do_sample=True,
            )  # fmt: skip
        new = out[0, ids.shape[1] :].tolist()
        spent.append(len(new))
        return "".join(ALPHABET[token % len(ALPHABET)] for token in new)

    found = ground_and_answer(ask, "is the red chair nearer to me?", LEVEL, correct=True)
    assert spent == [40, 40]
    assert len(found.boxes) + len(found.bad) >= 1 and found.located
    assert found.checked is not None and all(math.isfinite(b.box.volume) for b in found.boxes)
