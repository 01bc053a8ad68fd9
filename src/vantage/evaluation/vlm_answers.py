"""Answers of a trained vision-language model to the held-out questions, also under a control."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.evaluation.answers import as_prediction
from vantage.geometry.camera import Pinhole
from vantage.models.grounded.asking import Grounding, ego_view, grounded_answers
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.request import Generated, Refused
from vantage.models.vlm.same_pictures import require_same_pictures
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.showing import shown_sample
from vantage.models.vlm.trained import TrainedVlm, by_id
from vantage.records.predictions import Prediction
from vantage.records.questions import Question

CONTROLS = ("", "blind", "other_sample", "random_yaw", "random_pose", "no_pose")
_TOLD = ("transform", "prompt")


@dataclass(frozen=True)
class Answered:
    """Predictions, and where a situated model took the asker of each question to be.

    Attributes:
        predictions: sorted by question id; of a question that the model refused, empty.
        places: by question id: estimate and truth (metres, radians, the frame is named).
        refused: why, by question id.
    """

    predictions: list[Prediction]
    places: list[dict[str, Any]]
    refused: dict[str, str]


def answer_all_with(
    vlm: TrainedVlm,
    inputs: Mapping[str, Path],
    control: str,
    seed: int,
    decoding: Decoding,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Answered:
    """Answers to every held-out question.

    Args:
        vlm: the model.
        inputs: folders of the stages `download`, `extract`, `lift` and `synthesize`.
        control: one of `CONTROLS`.
        seed: of controls and perturbations.
        decoding: how answers are made.
        tell: hears of samples done and in all.

    Raises:
        ParameterError: a control that these models have not.
        ContractError: patches of other pictures than the model sees.
    """
    if control not in CONTROLS:
        raise ParameterError(
            "no such control of a vision-language model", where="evaluate.controls",
            expected=", ".join(CONTROLS[1:]) + ", majority", found=control,
        )  # fmt: skip
    unposed = control == "no_pose"
    if unposed and (vlm.model.situated is not None or (vlm.align and vlm.align.mode not in _TOLD)):
        raise ParameterError(
            "no pose can be taken from this model", where="evaluate.controls",
            expected="a model whose coordinates or words tell the ego's pose", found="no_pose",
            hint="leave no_pose out of evaluate.controls",
        )  # fmt: skip
    samples = QuestionSamples(inputs, Selection("heldout", None, "aligned" if unposed else vlm.frame))
    require_same_pictures(samples, vlm.prepare)
    generator = vlm.generator(decoding)
    found = Answered([], [], {})
    for index in range(len(samples)):
        sample = (
            _unposed(samples[index], vlm)
            if unposed
            else shown_sample(samples, index, vlm.align, control, seed)
        )
        questions = samples.questions(index)
        size = samples.listed[index].size
        if vlm.dialogs == "grounded":
            camera = samples.pose(index).camera
            assert camera is not None  # a recorded pose comes with its camera
            for question, answer in _grounded(vlm, generator, sample, questions, camera, size):
                _keep(found, question, answer, sample)
        else:
            for question, reply in _single(vlm, generator, sample, questions, size):
                _keep(found, question, reply, sample)
        tell(index + 1, len(samples))
    found.predictions.sort(key=lambda p: p.question_id)
    return found


def _unposed(sample: Sample, vlm: TrainedVlm) -> Sample:
    """The room's own coordinates, given as if they were the frame that the model knows."""
    injection = vlm.model.config.injection
    return sample if injection is None else replace(sample, frame=injection.frame, place=None)


def _single(
    vlm: TrainedVlm,
    generator: Generator,
    sample: Sample,
    questions: Sequence[Question],
    size: tuple[int, int],
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
    size: tuple[int, int],
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


def _keep(found: Answered, question: Question, answer: Generated | Refused | str, sample: Sample) -> None:
    if isinstance(answer, Refused):
        found.refused[question.question_id] = answer.reason
        answer = ""
    if isinstance(answer, Generated):
        if answer.place is not None:
            truth = None if sample.place is None else vars(sample.place)
            estimate = vars(answer.place)
            found.places.append({"question_id": question.question_id, "found": estimate, "truth": truth})
        answer = answer.text
    found.predictions.append(as_prediction(question, answer))
