"""Locate, then reason: the two turns of a question in one call, around any generator of text."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from vantage.core.frames import Frame
from vantage.models.grounded.checks import Checked, check
from vantage.models.grounded.conclusion import corrected
from vantage.models.grounded.prompts import NOTHING, locate_prompt, reason_prompt
from vantage.models.grounded.view import EgoView, Located
from vantage.models.vlm.sample import Turn
from vantage.records.box_lattice import METRIC, BoxLattice
from vantage.records.box_text import BadLine, read_boxes
from vantage.records.thinking import split_thinking

Ask = Callable[[Sequence[Turn]], str]
"""A model in use: the answer of the last turn, which is open, of a dialog about its views."""


@dataclass(frozen=True, eq=False)
class GroundedAnswer:
    """A question answered over boxes that the model located itself.

    Attributes:
        question: as asked.
        frame: of the boxes.
        boxes: what was located, in the order written.
        bad: what of the first reply is no box.
        located: the first reply.
        reasoning: of the second reply.
        answer: of the second reply, brought in line with the executed steps where that was asked for.
        said: the answer as the model gave it.
        checked: the executed steps; None where that was not asked for.
    """

    question: str
    frame: Frame
    boxes: tuple[Located, ...]
    bad: tuple[BadLine, ...]
    located: str
    reasoning: str
    answer: str
    said: str
    checked: Checked | None


def two_turns(
    question: str,
    view: EgoView,
    lattice: BoxLattice = METRIC,
    check_steps: bool = True,
    correct: bool = False,
) -> Generator[tuple[Turn, ...], str, GroundedAnswer]:
    """A question in two turns: gives a dialog, is sent the reply to its last turn, twice; returns the answer.

    Whatever the model writes is data: boxes that cannot be read are named in `bad`, steps that cannot be
    executed in `checked`; nothing is raised for either.

    Args:
        question: in words.
        view: the ego's view, that boxes are read in.
        lattice: the one the model was trained with.
        check_steps: execute the steps of the reasoning.
        correct: let the answer follow from the executed steps; goes with `check_steps`.
    """
    first = Turn(locate_prompt(question, lattice))
    located = yield (first,)
    text = "" if located.strip().lower() == NOTHING else located
    read = read_boxes(text, lattice, view.camera)
    boxes = tuple(Located.of(box, view) for box in read.boxes)
    answered = Turn(first.question, located.strip() or NOTHING)
    thought, said = split_thinking((yield (answered, Turn(reason_prompt(question, boxes)))))
    checked = check(thought, boxes) if check_steps or correct else None
    answer = corrected(said, checked.conclusion) if checked is not None and correct else said
    return GroundedAnswer(question, view.frame, boxes, read.bad, located, thought, answer, said, checked)


def ground_and_answer(
    ask: Ask,
    question: str,
    view: EgoView,
    lattice: BoxLattice = METRIC,
    check_steps: bool = True,
    correct: bool = False,
) -> GroundedAnswer:
    """Ask a question in two turns: `ask` is called twice, with one turn and with two; see `two_turns`."""
    talk = two_turns(question, view, lattice, check_steps, correct)
    turns = next(talk)
    while True:
        try:
            turns = talk.send(ask(turns))
        except StopIteration as end:
            found: GroundedAnswer = end.value
            return found
