"""Answers of a trained vision-language model to the held-out questions, also under a control."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.evaluation.answers import as_prediction
from vantage.evaluation.poses import RECOVERED
from vantage.evaluation.recovered_egos import RecoveredEgos
from vantage.evaluation.recovered_samples import recovered_samples
from vantage.models.question_answers import answers_to
from vantage.models.vlm.generate import Decoding
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.request import Generated, Refused
from vantage.models.vlm.same_pictures import require_same_pictures
from vantage.models.vlm.sample import Sample
from vantage.models.vlm.showing import shown_sample
from vantage.models.vlm.trained import TrainedVlm
from vantage.records.predictions import Prediction
from vantage.records.questions import Question

CONTROLS = ("", "blind", "other_sample", "random_yaw", "random_pose", "no_pose", *RECOVERED)
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
        inputs: folders of the stages `download`, `extract`, `lift` and `synthesize`; for poses recovered at
            test time also `recover`.
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
    egos = RecoveredEgos(inputs, control, seed) if control in RECOVERED else None
    for index in range(len(samples)):
        camera, size = samples.pose(index).camera, samples.listed[index].size
        for sample, questions in _shown(vlm, samples, index, egos or control, seed):
            for question, answer in answers_to(vlm, generator, sample, questions, camera, size):
                _keep(found, question, answer, sample)
        tell(index + 1, len(samples))
    found.predictions.sort(key=lambda p: p.question_id)
    return found


def _shown(
    vlm: TrainedVlm, samples: QuestionSamples, index: int, control: str | RecoveredEgos, seed: int
) -> Sequence[tuple[Sample, Sequence[Question]]]:
    """A sample with all its questions, or one for each where each has a pose of its own."""
    if isinstance(control, RecoveredEgos):
        return recovered_samples(samples, index, vlm.align, control, seed)
    questions = samples.questions(index)
    if control == "no_pose":
        return [(_unposed(samples[index], vlm), questions)]
    return [(shown_sample(samples, index, vlm.align, control, seed), questions)]


def _unposed(sample: Sample, vlm: TrainedVlm) -> Sample:
    """The room's own coordinates, given as if they were the frame that the model knows."""
    injection = vlm.model.config.injection
    return sample if injection is None else replace(sample, frame=injection.frame, place=None)


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
