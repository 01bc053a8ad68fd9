"""Two-turn training dialogs from question records: boxes as text, then steps over them and the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vantage.core.errors import ContractError
from vantage.core.frames import require_frame
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import invert
from vantage.models.grounded.checks import check
from vantage.models.grounded.programs import PROGRAMS, steps_of
from vantage.models.grounded.prompts import locate_prompt, reason_prompt
from vantage.models.grounded.view import EgoView, Located
from vantage.models.vlm.sample import Turn
from vantage.records.box_lattice import METRIC, BoxLattice
from vantage.records.box_text import read_boxes, write_boxes
from vantage.records.frames import kept_frames
from vantage.records.objects import SceneObject, read_objects
from vantage.records.questions import Question, read_questions
from vantage.records.scan import read_scan
from vantage.records.thinking import join_thinking
from vantage.records.view_boxes import ViewBox

FAMILY: Final = "a family that boxes do not decide"
TILTED: Final = "an object whose box is not upright"
OUTSIDE: Final = "an object outside of what boxes can be written for"
OTHERWISE: Final = "boxes as written give another answer"


@dataclass(frozen=True)
class GroundedDialogs:
    """Dialogs by question id, and why some have no first turn.

    Attributes:
        turns: of every question: two turns, or one where it is in `single`.
        single: why a question has one turn, by question id.
    """

    turns: Mapping[str, tuple[Turn, ...]]
    single: Mapping[str, str]

    def reasons(self) -> dict[str, int]:
        """How many questions have one turn, by reason."""
        return dict(sorted(Counter(self.single.values()).items()))


def grounded_dialogs(
    questions: Iterable[Question],
    objects: Sequence[SceneObject],
    view: Mapping[int, EgoView],
    lattice: BoxLattice = METRIC,
) -> GroundedDialogs:
    """Dialogs of a scan's questions.

    The boxes of the second turn are those that the first turn's text stands for, so that a model in use is
    given what it was trained with. A question whose boxes do not lead to its answer keeps one turn.

    Args:
        questions: of one scan.
        objects: of that scan.
        view: the ego's view in `ego_level`, by ego frame id.
        lattice: for the boxes of the first turn.

    Raises:
        ContractError: evidence that names an object the scan does not have, or a view in another frame.
    """
    by_id = {thing.object_id: thing for thing in objects}
    turns: dict[str, tuple[Turn, ...]] = {}
    single: dict[str, str] = {}
    for question in questions:
        found = _two_turns(question, by_id, view[question.ego_frame_id], lattice)
        if isinstance(found, str):
            single[question.question_id] = found
            only = Turn(question.question, join_thinking(question.reasoning, question.answer))
            turns[question.question_id] = (only,)
        else:
            turns[question.question_id] = found
    return GroundedDialogs(turns, single)


def scan_dialogs(extract: Path, synthesize: Path, lattice: BoxLattice = METRIC) -> GroundedDialogs:
    """Dialogs of all questions of a scan, from its folders of those two stages.

    `ContractError` when the records cannot be read or do not fit each other.
    """
    meta = read_scan(extract)
    frames = {frame.frame_id: frame for frame in kept_frames(extract)}
    questions = read_questions(synthesize)
    view: dict[int, EgoView] = {}
    for question in questions:
        frame = frames.get(question.ego_frame_id)
        if frame is None:
            raise ContractError(
                "a question is asked from a frame that was not kept", where=synthesize,
                expected="a kept frame", found=f"frame {question.ego_frame_id}", hint="run synthesize again",
            )  # fmt: skip
        T_ego_raw = invert(question.T_aligned_ego) @ meta.T_aligned_raw
        view[question.ego_frame_id] = EgoView(meta.color_of(frame), T_ego_raw @ frame.T_raw_cam)
    return grounded_dialogs(questions, read_objects(extract), view, lattice)


def _two_turns(
    question: Question, by_id: Mapping[int, SceneObject], view: EgoView, lattice: BoxLattice
) -> tuple[Turn, Turn] | str:
    """The dialog, or why there is none."""
    if question.family not in PROGRAMS:
        return FAMILY
    require_frame(view.frame, "ego_level", f"the ego's view of question {question.question_id}")
    try:
        wanted = list(_view_boxes(question, by_id, view))
    except _TiltedError:
        return TILTED
    written = write_boxes(wanted, lattice, view.camera)
    if written.outside:
        return OUTSIDE
    read = read_boxes(written.text, lattice, view.camera).boxes
    boxes = [Located.of(box, view) for box in read]
    steps = steps_of(question.family, boxes, question.question)
    if steps is None or check("\n".join(steps), boxes).conclusion.spoken() != question.answer:
        return OTHERWISE
    return (
        Turn(locate_prompt(question.question, lattice), written.text),
        Turn(reason_prompt(question.question, boxes), join_thinking("\n".join(steps), question.answer)),
    )


class _TiltedError(Exception):
    pass


def _view_boxes(question: Question, by_id: Mapping[int, SceneObject], view: EgoView) -> Iterable[ViewBox]:
    """The boxes of the question's evidence, numbered in its order."""
    T_ego_aligned = invert(question.T_aligned_ego)
    evidence = zip(question.evidence["object_ids"], question.evidence["names"], strict=True)
    for number, (object_id, name) in enumerate(evidence):
        if object_id not in by_id:
            raise ContractError(
                "a question rests on an object that the scan does not have",
                where=f"question {question.question_id}", expected="ids of objects.parquet", found=object_id,
                hint="run synthesize again",
            )  # fmt: skip
        thing = by_id[object_id]
        box = OrientedBox(thing.center, thing.size, thing.rotation).transformed(T_ego_aligned)
        try:
            yield ViewBox.of(number, name, box, view.T_frame_cam)
        except ContractError as error:
            raise _TiltedError from error
