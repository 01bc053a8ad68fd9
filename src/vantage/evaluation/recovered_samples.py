"""Samples as a vision-language model is shown them from poses that `recover` chose, a question at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vantage.align.config import AlignConfig
from vantage.align.sources import ego_of_question
from vantage.evaluation.recovered_egos import RecoveredEgos
from vantage.models.vlm.controls import seen_by
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample
from vantage.records.questions import Question


def recovered_samples(
    samples: QuestionSamples, index: int, align: AlignConfig | None, egos: RecoveredEgos, seed: int
) -> Sequence[tuple[Sample, Sequence[Question]]]:
    """A sample for each question, its coordinates about the recovered ego as if that were the question's own.

    Pictures and the pose that is told stay, as under `random_pose`. Raises as `RecoveredEgos.ego`, `seen_by`
    and `aligned` do.
    """
    sample, questions = samples[index], samples.questions(index)
    ego = ego_of_question(questions[0])
    found: list[tuple[Sample, Sequence[Question]]] = []
    for dialog, question in zip(sample.dialogs, questions, strict=True):
        one = seen_by(replace(sample, dialogs=(dialog,)), ego, egos.ego(question))
        if align is not None:
            one = aligned(one, samples.pose(index), align, seed, 0)
        found.append((one, [question]))
    return found
