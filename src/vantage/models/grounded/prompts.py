"""What is asked in the two turns: to locate what a question names, then the question beside the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vantage.models.grounded.view import Located
from vantage.records.box_lattice import BoxLattice

NOTHING: Final = "none"
"""The answer of the first turn where nothing is located."""

_LOCATE: Final = "Locate the objects that this question names, one a line:"
_AXES: Final = (
    "Boxes in metres: x ahead of me, y to my left, z up; w wide, l long, h high; "
    "u, v: place in the first image."
)
_REASON: Final = "Work it out in steps, then answer."


def locate_prompt(question: str, lattice: BoxLattice) -> str:
    """The first turn: the question, and how a box is written."""
    return f"{_LOCATE} {question}\n{declaration(lattice)}"


def declaration(lattice: BoxLattice) -> str:
    """How a box is written, with what the numbers mean; the same text in training and in use."""
    image, depth, size, angle = lattice.image, lattice.depth, lattice.size, lattice.angle
    if lattice.name == "n3d":
        return "bbox_<id>=Bbox(<class>,u,v,z,angle,sx,sy,sz), whole numbers relative to the scene"
    return (
        "bbox_<id>=Bbox(<class>,u,v,z,angle,sx,sy,sz), whole numbers: "
        f"u, v in 1/{image.bins} of the first image, z in {depth.step:g} m ahead, "
        f"angle in 1/{angle.bins} turn, width, height and length in {size.step:g} m"
    )


def condition(box: Located) -> str:
    """A located box as a line of text, metric, two decimals."""
    said = box.said
    return (
        f"{box.name}: {box.view_box.label}, x {said('x')}, y {said('y')}, z {said('z')}, w {said('w')}, "
        f"l {said('l')}, h {said('h')}, angle {said('angle')}, u {said('u')}, v {said('v')}"
    )


def reason_prompt(question: str, boxes: Sequence[Located]) -> str:
    """The second turn: the boxes that were read in the first, and the question."""
    lines = [_AXES, *(condition(box) for box in boxes)] if boxes else ["No box was found."]
    return "\n".join([*lines, f"{question} {_REASON}"])
