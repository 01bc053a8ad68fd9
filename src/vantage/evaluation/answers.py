"""Answers of a model to the held-out questions, as they are or with something taken from it at test time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from vantage.align.controls import GREY, lender, moved_ego, turned_ego
from vantage.core.errors import ParameterError
from vantage.evaluation.poses import RECOVERED
from vantage.evaluation.recovered_egos import RecoveredEgos
from vantage.evaluation.situations import Situation, heldout_questions, situations
from vantage.models.answering import PocketVLM
from vantage.records.predictions import Prediction
from vantage.records.questions import Question

Shown = tuple[UInt8[np.ndarray, "v 64 64 3"], Float32[np.ndarray, "v gh gw 3"], Bool[np.ndarray, "v gh gw"]]
"""Images, ego coordinates in metres, validity."""


def as_it_is(situation: Situation) -> Shown:
    """The views with their own coordinates."""
    return situation.images, situation.points(), situation.valid


def blind(situation: Situation) -> Shown:
    """Plain grey images and no coordinates: only the words of the question are left."""
    return (
        np.full_like(situation.images, GREY),
        np.zeros_like(situation.points()),
        np.zeros_like(situation.valid),
    )


def turned(situation: Situation, seed: int) -> Shown:
    """Coordinates from the ego's place, but of an ego that looks somewhere at random."""
    ego = turned_ego(situation.ego, seed, situation.key)
    return situation.images, situation.points(ego), situation.valid


def moved(situation: Situation, seed: int) -> Shown:
    """Coordinates in the frame of an ego that stands and looks as another kept frame of the scan does."""
    ego = moved_ego(situation.ego, situation.T_aligned_others, seed, situation.key)
    return situation.images, situation.points(ego), situation.valid


def unposed(situation: Situation) -> Shown:
    """Coordinates in the room's own aligned world, metres: as if nobody knew where the ego is."""
    xyz = np.where(situation.valid[..., None], situation.xyz_aligned, 0.0).astype(np.float32)
    return situation.images, xyz, situation.valid


def with_points_of(situation: Situation, other: Situation) -> Shown:
    """The views with another situation's coordinates, in that one's ego frame; they repeat if too few."""
    rows = np.arange(len(situation.images)) % len(other.images)
    return situation.images, other.points()[rows], other.valid[rows]


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: sums, and with them close calls, do not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answer_all(
    vlm: PocketVLM,
    inputs: Mapping[str, Path],
    control: str,
    seed: int,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Prediction]:
    """Answers to every held-out question, sorted by question id.

    Args:
        vlm: the model.
        inputs: folders of the stages `download`, `extract`, `lift` and `synthesize`; for poses recovered at
            test time also `recover`.
        control: "" for none, else `blind`, `other_sample`, `random_yaw`, `random_pose`, `no_pose`, or one of
            `poses.RECOVERED`.
        seed: of the controls.
        tell: hears of situations done and in all.
    """
    questions = heldout_questions(inputs["synthesize"])
    asked = [s for scan, rows in questions.items() for s in situations(inputs, scan, rows)]
    rooms = [s.room_id for s in asked]
    predictions: list[Prediction] = []
    egos = RecoveredEgos(inputs, control, seed) if control in RECOVERED else None
    for i, situation in enumerate(asked):
        if egos is not None:
            predictions += _from_recovered(vlm, situation, egos)
            tell(i + 1, len(asked))
            continue
        shown = _shown(asked, rooms, i, control, seed)
        words = vlm.answer(*shown, [q.question for q in situation.questions])
        predictions += [as_prediction(q, w) for q, w in zip(situation.questions, words, strict=True)]
        tell(i + 1, len(asked))
    return sorted(predictions, key=lambda p: p.question_id)


def _from_recovered(vlm: PocketVLM, situation: Situation, egos: RecoveredEgos) -> list[Prediction]:
    """Each question by itself: two questions about the same views may be given two poses."""
    found = []
    for question in situation.questions:
        points = situation.points(egos.ego(question))
        (word,) = vlm.answer(situation.images, points, situation.valid, [question.question])
        found.append(as_prediction(question, word))
    return found


def _shown(asked: Sequence[Situation], rooms: Sequence[str], i: int, control: str, seed: int) -> Shown:
    situation = asked[i]
    if control == "":
        return as_it_is(situation)
    if control == "blind":
        return blind(situation)
    if control == "random_yaw":
        return turned(situation, seed)
    if control == "random_pose":
        return moved(situation, seed)
    if control == "no_pose":
        return unposed(situation)
    if control == "other_sample":
        return with_points_of(situation, asked[lender(i, rooms, seed, situation.key)])
    known = "blind, other_sample, random_yaw, random_pose, no_pose"
    raise ParameterError("no such control of a model at test time", expected=known, found=repr(control))


def as_prediction(question: Question, word: str) -> Prediction:
    """A question with what was answered."""
    return Prediction(
        question_id=question.question_id,
        scan_id=question.scan_id,
        room_id=question.room_id,
        family=question.family,
        slice=question.slice,
        question=question.question,
        answer=question.answer,
        prediction=word,
    )
