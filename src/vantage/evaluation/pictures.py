"""The pictures of a report: scores of every arm, and one held-out question with room, views and answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vantage.core.seeds import priority
from vantage.evaluation.report import Evaluation
from vantage.evaluation.table import Group
from vantage.figures.question import QuestionCard, question_picture
from vantage.figures.scores import Bar, ScoreRow, score_picture
from vantage.records.frames import kept_frames
from vantage.records.objects import read_objects
from vantage.records.predictions import Prediction
from vantage.records.questions import Question
from vantage.records.scan import read_scan
from vantage.scans.pixels import read_color


def scores_picture(evaluation: Evaluation) -> bytes:
    """PNG of every group's scores, arms side by side, controls beside the headline."""
    rows = [score_row(group) for group in evaluation.groups]
    return score_picture(rows, evaluation.arms, evaluation.groups[0].name, evaluation.controls)


def score_row(group: Group) -> ScoreRow:
    """A group as it is drawn, with every item's score."""
    bars = {i: Bar(s.exact.percent, s.exact.low, s.exact.high) for i, s in group.items.items()}
    note = "" if group.learnable else "no circuit in the base"
    return ScoreRow(group.name, group.n, group.majority_percent, bars, note)


def example_question(questions: Sequence[Question], family: str, part: str) -> Question:
    """The headline question that comes first by hash: chosen before anybody looks at the answers."""
    of_group = [q for q in questions if (q.family, q.slice) == (family, part)]
    return min(of_group or questions, key=lambda q: priority("example", q.question_id))


def example_picture(
    inputs: Mapping[str, Path],
    evaluation: Evaluation,
    predictions: Mapping[str, Sequence[Prediction]],
    questions: Sequence[Question],
) -> bytes:
    """PNG of one question of the headline group.

    Args:
        inputs: folders of the stages `download` and `extract`.
        evaluation: for the headline group and the arms' order.
        predictions: by item.
        questions: all held-out questions.
    """
    head = evaluation.groups[0]
    question = example_question(questions, head.family, head.slice)
    said = {
        arm: next(p.prediction for p in predictions[arm] if p.question_id == question.question_id)
        for arm in evaluation.arms
    }
    return question_picture(card_of(inputs, question, said))


def card_of(inputs: Mapping[str, Path], question: Question, said: Mapping[str, str]) -> QuestionCard:
    """The card of a question, its views read from the raw scan."""
    extract, raw = inputs["extract"] / question.scan_id, inputs["download"] / question.scan_id
    meta = read_scan(extract)
    frames = {frame.frame_id: frame for frame in kept_frames(extract)}
    objects = read_objects(extract)
    ego = meta.color_of(frames[question.views[0]])
    return QuestionCard(
        question=question.question,
        answer=question.answer,
        said=said,
        objects=objects,
        targets=_targets(question, frozenset(o.object_id for o in objects)),
        T_aligned_ego=question.T_aligned_ego,
        T_aligned_cams=np.stack([meta.T_aligned_raw @ frames[v].T_raw_cam for v in question.views]),
        half_fov=math.atan(ego.width / 2 / ego.fx),
        views=[read_color(raw, meta, frames[v]) for v in question.views],
        source=f"{question.scan_id}, frame {question.ego_frame_id}",
    )


def _targets(question: Question, known: frozenset[int]) -> frozenset[int]:
    """Objects that the answer rests on."""
    return frozenset(question.evidence.get("object_ids", ())) & known
