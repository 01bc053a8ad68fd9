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
from vantage.models.grounded.prompts import NOTHING, locate_prompt, reason_prompt
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
    """Dialogs by question id, and why some are not worked out over boxes.

    Attributes:
        turns: two turns of every question.
        told: why the second turn is not worked out over the boxes but says what synthesize does, by question
            id.
    """

    turns: Mapping[str, tuple[Turn, Turn]]
    told: Mapping[str, str]

    def reasons(self) -> dict[str, int]:
        """How many questions are not worked out over boxes, by reason."""
        return dict(sorted(Counter(self.told.values()).items()))


def grounded_dialogs(
    questions: Iterable[Question],
    objects: Sequence[SceneObject],
    view: Mapping[int, EgoView],
    lattice: BoxLattice = METRIC,
) -> GroundedDialogs:
    """Dialogs of a scan's questions.

    Every question has two turns, as in use nobody knows which questions boxes decide. The boxes of the second
    turn are those that the first turn's text stands for, so that a model in use is given what it was trained
    with. Where they do not lead to the answer, what can be written of them is located all the same, and the
    second turn is answered as synthesize has it.

    Args:
        questions: of one scan.
        objects: of that scan.
        view: the ego's view in `ego_level`, by ego frame id.
        lattice: for the boxes of the first turn.

    Raises:
        ContractError: evidence that names an object the scan does not have, or a view in another frame.
    """
    by_id = {thing.object_id: thing for thing in objects}
    turns: dict[str, tuple[Turn, Turn]] = {}
    told: dict[str, str] = {}
    for question in questions:
        name, view_of = question.question_id, view[question.ego_frame_id]
        require_frame(view_of.frame, "ego_level", f"the ego's view of question {name}")
        turns[name], reason = _two_turns(question, by_id, view_of, lattice)
        if reason:
            told[name] = reason
    return GroundedDialogs(turns, told)


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
) -> tuple[tuple[Turn, Turn], str]:
    """The dialog, and why its second turn is not worked out over the boxes, or ""."""
    boxes, tilted = _view_boxes(question, by_id, view)
    written = write_boxes(boxes, lattice, view.camera)
    read = [Located.of(box, view) for box in read_boxes(written.text, lattice, view.camera).boxes]
    first = Turn(locate_prompt(question.question, lattice), written.text or NOTHING)
    steps: Sequence[str] | None = None
    if question.family not in PROGRAMS:
        reason = FAMILY
    elif tilted:
        reason = TILTED
    elif written.outside:
        reason = OUTSIDE
    else:
        steps = steps_of(question.family, read, question.question)
        follows = steps is not None and check("\n".join(steps), read).conclusion.spoken() == question.answer
        reason = "" if follows else OTHERWISE
    thought = question.reasoning if reason or steps is None else "\n".join(steps)
    second = Turn(reason_prompt(question.question, read), join_thinking(thought, question.answer))
    return (first, second), reason


def _view_boxes(
    question: Question, by_id: Mapping[int, SceneObject], view: EgoView
) -> tuple[list[ViewBox], bool]:
    """The upright boxes of the question's evidence, numbered in its order, and whether others are tilted."""
    T_ego_aligned = invert(question.T_aligned_ego)
    found: list[ViewBox] = []
    tilted = False
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
            found.append(ViewBox.of(number, name, box, view.T_frame_cam))
        except ContractError:
            tilted = True
    return found, tilted
