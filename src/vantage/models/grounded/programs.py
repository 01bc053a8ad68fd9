"""Reasoning programs: the steps from boxes to an answer, a line each, for the families that boxes decide.

Every number in a step is printed, and every stated value follows from the printed numbers alone. A line is
`name = expression = value`, or `name = word if comparison else word = word`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vantage.models.grounded.arithmetic import evaluate, holds
from vantage.models.grounded.view import DECIMALS, Located, rounded

Boxes = Sequence[Located]
Steps = tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """Steps of a family.

    Attributes:
        boxes: how many it takes; None: any number from one.
        steps: the lines, from the boxes in the order of the question, and the question.
    """

    boxes: int | None
    steps: Callable[[Boxes, str], Steps]


def _value(name: str, expression: str, decimals: int = DECIMALS) -> tuple[str, float]:
    """A line, and the value it states."""
    stated = round(evaluate(expression), decimals) + 0.0
    return f"{name} = {expression} = {stated:.{decimals}f}", stated


def _choice(name: str, yes: str, comparison: str, no: str) -> str:
    return f"{name} = {yes} if {comparison} else {no} = {yes if holds(comparison) else no}"


def _printed(value: float) -> str:
    return f"{rounded(value):.{DECIMALS}f}"


def _operand(value: float) -> str:
    text = _printed(value)
    return f"({text})" if text.startswith("-") else text


def _from_me(name: str, box: Located) -> tuple[str, float]:
    x, y = (_operand(box.values[field]) for field in ("x", "y"))
    return _value(name, f"sqrt({x}^2 + {y}^2)")


def _between(name: str, a: Located, b: Located) -> tuple[str, float]:
    sides = (f"({a.said(k)} - {_operand(b.values[k])})^2" for k in ("x", "y"))
    return _value(name, f"sqrt({' + '.join(sides)})")


def _distance(boxes: Boxes, _question: str) -> Steps:
    first, d = _from_me("d", boxes[0])
    whole, _ = _value("n", f"floor({_printed(d)} + 0.5)", 0)
    return first, whole


def _direction(boxes: Boxes, _question: str) -> Steps:
    (box,) = boxes
    along = _choice("a", "front", f"{box.said('x')} > 0", "back")
    return along, _choice("b", "left", f"{box.said('y')} > 0", "right")


def _side(boxes: Boxes, _question: str) -> Steps:
    return (_choice("a", "left", f"{boxes[0].said('u')} < 0.5", "right"),)


def _compared(first: float, second: float, less: bool) -> str:
    return _choice("a", "yes", f"{_printed(first)} {'<' if less else '>'} {_printed(second)}", "no")


def _nearest(boxes: Boxes, question: str) -> Steps:
    (one, first), (two, second) = (_from_me(f"d{k}", box) for k, box in enumerate(boxes))
    return one, two, _compared(first, second, less="farther" not in question.split())


def _size(boxes: Boxes, question: str) -> Steps:
    first, second = (box.values["h"] for box in boxes)
    return (_compared(first, second, less="shorter" in question.split()),)


def _nearest_to(boxes: Boxes, _question: str) -> Steps:
    a, b, c = boxes
    (one, first), (two, second) = _between("d0", a, b), _between("d1", c, b)
    return one, two, _compared(first, second, less=True)


def _count(boxes: Boxes, _question: str) -> Steps:
    return (_value("n", " + ".join(["0", *("1" for _ in boxes)]), 0)[0],)


PROGRAMS: Final[dict[str, Program]] = {
    "distance": Program(1, _distance),
    "direction": Program(1, _direction),
    "side": Program(1, _side),
    "nearest": Program(2, _nearest),
    "size": Program(2, _size),
    "nearest_to": Program(3, _nearest_to),
    "count": Program(None, _count),
}
"""By question family. The others rest on more than boxes (colours, what is absent)."""


def steps_of(family: str, boxes: Boxes, question: str) -> Steps | None:
    """The steps of a question of one of `PROGRAMS`; None where it takes another number of boxes."""
    program = PROGRAMS[family]
    if not boxes or program.boxes not in (None, len(boxes)):
        return None
    return program.steps(boxes, question)
