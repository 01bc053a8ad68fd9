"""Answers of a trained arm to the questions of one sample, asked as its training asked them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vantage.core.frames import require_frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import invert
from vantage.models.grounded.answering import ground_and_answer
from vantage.models.grounded.view import EgoView
from vantage.models.vlm.generate import Generator
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.trained import TrainedVlm, by_id
from vantage.records.questions import Question

_Asked = tuple[Question, tuple[Turn, ...]]


def answers_to(
    vlm: TrainedVlm,
    generator: Generator,
    samples: QuestionSamples,
    index: int,
    sample: Sample,
    only: frozenset[str] | None = None,
) -> Iterator[tuple[Question, Generated | Refused | str]]:
    """Each question of a sample with its answer.

    Args:
        vlm: the arm; `generator` is its own.
        generator: how answers are made.
        samples: of which the sample is number `index`.
        index: see `samples`.
        sample: the same as the arm is shown it: aligned, under a control.
        only: ids of the questions to ask; None for all.
    """
    size = samples.listed[index].size
    asked = [
        (question, turns)
        for question, turns in zip(samples.questions(index), sample.dialogs, strict=True)
        if only is None or question.question_id in only
    ]
    if vlm.dialogs == "grounded":
        camera = samples.pose(index).camera
        assert camera is not None  # a recorded pose comes with its camera
        return _grounded(vlm, generator, sample, asked, camera, size)
    return _single(vlm, generator, sample, asked, size)


def _single(
    vlm: TrainedVlm,
    generator: Generator,
    sample: Sample,
    asked: Sequence[_Asked],
    size: tuple[int, int],
) -> Iterator[tuple[Question, Generated | Refused]]:
    sizes = [size] * len(sample.views)
    requests = [
        vlm.request(question.question_id, sample, [Turn(turns[0].question)], sizes)
        for question, turns in asked
    ]
    found = by_id([one for batch in generator.answers(requests) for one in batch])
    return ((question, found[question.question_id]) for question, _ in asked)


def _grounded(
    vlm: TrainedVlm,
    generator: Generator,
    sample: Sample,
    asked: Sequence[_Asked],
    camera: Pinhole,
    size: tuple[int, int],
) -> Iterator[tuple[Question, str]]:
    """Locate, then reason, a question at a time: the second prompt rests on the first reply.

    Every question is, as in use, where nobody knows a question's family; training asks in one turn what
    boxes do not decide.
    """
    sizes = [size] * len(sample.views)
    for question, shown in asked:
        # A pose that is told stands before the first prompt, as in training.
        told = shown[0].question.removesuffix(question.question)

        def ask(turns: Sequence[Turn], name: str = question.question_id, told: str = told) -> str:
            first = Turn(told + turns[0].question, turns[0].answer)
            return _text(generator, vlm.request(name, sample, [first, *turns[1:]], sizes))

        view = _ego_view(sample, question, camera)
        yield question, ground_and_answer(ask, question.question, view, check_steps=False).answer


def _ego_view(sample: Sample, question: Question, camera: Pinhole) -> EgoView:
    """The ego's view in `ego_level`, the frame that boxes are taught in, whatever frame the points are in."""
    T = sample.views[0].T_frame_cam
    if T is None:
        return EgoView.level(camera)
    if sample.frame == "aligned":
        return EgoView(camera, invert(question.T_aligned_ego) @ T)
    require_frame(sample.frame, "ego_level", f"sample {sample.sample_id}")
    return EgoView(camera, T)


def _text(generator: Generator, request: Request) -> str:
    """A reply, or nothing where the model cannot be asked (a first reply may fill its context)."""
    replies = [one for batch in generator.answers([request]) for one in batch]
    return "".join(one.text for one in replies if isinstance(one, Generated))
