"""Which samples a scan's questions make, and which questions cannot be shown: known before any is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from vantage.align.sources import ego_of_question
from vantage.core.errors import ContractError
from vantage.core.hashing import digest_json
from vantage.models.patch_geometry import Grid
from vantage.models.vlm.lifted_scan import LiftedScan
from vantage.models.vlm.sample import Turn
from vantage.records.questions import Question

SampleFrame = Literal["ego_level", "aligned"]
Dialog = Callable[[Question], tuple[Turn, ...]]
Situation = Callable[[Question], str]


def one_turn(question: Question) -> tuple[Turn, ...]:
    """The question and its answer."""
    return (Turn(question.question, question.answer),)


def unsituated(question: Question) -> str:
    """Nothing is said of where the asker is."""
    return ""


@dataclass(frozen=True)
class Selection:
    """Which questions, and how they are put.

    Attributes:
        split: `train` or `heldout`.
        families: question families; None for all.
        frame: of the samples' coordinates: `ego_level` of the ego, or the scan's `aligned` world.
        dialog: the turns that a question becomes.
        situation: what is said of where the asker is; questions of one situation share their views.
    """

    split: str = "train"
    families: tuple[str, ...] | None = None
    frame: SampleFrame = "ego_level"
    dialog: Dialog = one_turn
    situation: Situation = unsituated

    def takes(self, question: Question) -> bool:
        """Whether the question is one of them."""
        known = self.families is None or question.family in self.families
        return known and question.split == self.split


@dataclass(frozen=True)
class Listed:
    """What is known of a sample that was not read yet.

    Attributes:
        sample_id: scan, ego frame, views.
        scan_id, room_id: where it is.
        ego_frame_id: the frame that the questions are asked from.
        views: frame ids in the order shown.
        question_ids: of its dialogs, in their order.
        size: width and height of its colour images, pixels.
        grids: rows and columns of patches of each picture of a view.
        has_points: whether any patch of any view has a point.
        words: digest of its situation and dialogs.
    """

    sample_id: str
    scan_id: str
    room_id: str
    ego_frame_id: int
    views: tuple[int, ...]
    question_ids: tuple[str, ...]
    size: Grid
    grids: tuple[Grid, ...]
    has_points: bool
    words: str


@dataclass(frozen=True)
class Unusable:
    """A question that cannot be shown, and why."""

    scan_id: str
    question_id: str
    reason: str


def together(questions: Iterable[Question], selection: Selection) -> Iterator[tuple[str, list[Question]]]:
    """Questions that share ego, views, pose and situation, by sample id, each in the order of their ids."""

    def shown(q: Question) -> tuple[int, tuple[int, ...]]:
        return q.ego_frame_id, tuple(q.views)

    def said(q: Question) -> str:
        return digest_json([np.asarray(q.T_aligned_ego).tolist(), selection.situation(q)])

    ordered = sorted(questions, key=lambda q: (shown(q), said(q), q.question_id))
    for (ego, views), group in groupby(ordered, key=shown):
        parts = [(key, list(part)) for key, part in groupby(group, key=said)]
        for key, part in parts:
            name = f"{part[0].scan_id}/{ego}/{'-'.join(map(str, views))}"
            yield (name if len(parts) == 1 else f"{name}/{key[:8]}"), part


def list_scan(
    scan: LiftedScan, questions: Sequence[Question], selection: Selection
) -> tuple[list[Listed], list[Unusable]]:
    """The samples of a scan's questions, and the questions that its data cannot show.

    Raises:
        ContractError: a question shows a frame that `extract` or `lift` does not know; the stages are out of
            step.
    """
    usable, unusable = [], []
    faults: dict[int, str] = {}
    for question in questions:
        where = f"question {question.question_id}"
        scan.require_known([question.ego_frame_id, *question.views], where)
        for frame_id in question.views:
            if frame_id not in faults:
                faults[frame_id] = scan.fault(frame_id)
        reason = next((faults[f] for f in question.views if faults[f]), "") or _fault(question, selection)
        if reason:
            unusable.append(Unusable(scan.meta.scan_id, question.question_id, reason))
        else:
            usable.append(question)
    listed = [_listed(scan, name, group, selection) for name, group in together(usable, selection)]
    return listed, unusable


def _fault(question: Question, selection: Selection) -> str:
    """Why a question's own record cannot be used, or ""."""
    if not question.views:
        return "it shows no view"
    turns = selection.dialog(question)
    if not turns or not all(turn.question for turn in turns):
        return "nothing is asked"
    if selection.split == "train" and not all(turn.answer for turn in turns):
        return "it has no answer to learn"
    try:
        ego_of_question(question)
    except ContractError as error:
        return f"its ego: {error.one_line()}"
    return ""


def _listed(scan: LiftedScan, name: str, group: Sequence[Question], selection: Selection) -> Listed:
    first = group[0]
    dialogs = [[(t.question, t.answer) for t in selection.dialog(q)] for q in group]
    return Listed(
        sample_id=name,
        scan_id=first.scan_id,
        room_id=first.room_id,
        ego_frame_id=first.ego_frame_id,
        views=tuple(first.views),
        question_ids=tuple(q.question_id for q in group),
        size=scan.size,
        grids=scan.patches.grids,
        has_points=any(scan.has_points(frame_id) for frame_id in first.views),
        words=digest_json([selection.situation(first), dialogs]),
    )
