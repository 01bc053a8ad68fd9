"""Answers of a trained arm to the questions of one sample, asked as its training asked them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vantage.geometry.camera import Pinhole
from vantage.models.grounded.asking import Grounding, ego_view, grounded_answers
from vantage.models.vlm.generate import Generator
from vantage.models.vlm.request import Generated, Refused, Size
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.trained import TrainedVlm, by_id
from vantage.records.questions import Question


def answers_to(
    vlm: TrainedVlm,
    generator: Generator,
    sample: Sample,
    questions: Sequence[Question],
    camera: Pinhole | None,
    size: Size,
) -> Iterator[tuple[Question, Generated | Refused | str]]:
    """Each question with its answer, in their order.

    Args:
        vlm: the arm; `generator` is its own.
        generator: how answers are made.
        sample: as the arm is shown it: aligned, under a control; its dialogs are those of `questions`.
        questions: what is asked.
        camera: of the first view, which a grounded arm's boxes are read in; others need none.
        size: width and height of every view's image, pixels.
    """
    if vlm.dialogs != "grounded":
        return _single(vlm, generator, sample, questions, size)
    assert camera is not None  # a recorded pose comes with its camera
    return _grounded(vlm, generator, sample, questions, camera, size)


def _single(
    vlm: TrainedVlm, generator: Generator, sample: Sample, questions: Sequence[Question], size: Size
) -> Iterator[tuple[Question, Generated | Refused]]:
    sizes = [size] * len(sample.views)
    requests = [
        vlm.request(question.question_id, sample, [Turn(turns[0].question)], sizes)
        for question, turns in zip(questions, sample.dialogs, strict=True)
    ]
    found = by_id([one for batch in generator.answers(requests) for one in batch])
    return ((question, found[question.question_id]) for question in questions)


def _grounded(
    vlm: TrainedVlm,
    generator: Generator,
    sample: Sample,
    questions: Sequence[Question],
    camera: Pinhole,
    size: Size,
) -> Iterator[tuple[Question, str | Refused]]:
    sizes = (size,) * len(sample.views)
    asked = []
    for question, shown in zip(questions, sample.dialogs, strict=True):
        view = ego_view(sample, question.T_aligned_ego, camera)
        own = replace(sample, dialogs=(shown,))
        asked.append(Grounding(question.question_id, question.question, own, view, sizes))
    batches = grounded_answers(vlm, generator, asked, check_steps=False)
    found = {one.id: one for batch in batches for one in batch}
    for question in questions:
        one = found[question.question_id]
        yield question, one if isinstance(one, Refused) else one.found.answer
