"""What a question family is, and what it makes: candidates with evidence, or a reason why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

from annotated_types import Ge, Lt

from vantage.questions.scene import Situated

# Evidence is rounded to centimetres: a margin of 2 cm keeps every answer true of the rounded numbers.
Margin = Annotated[float, Ge(0.02)]


@dataclass(frozen=True)
class Margins:
    """How far from a tie or a border a question must be. Metres, except `side_px`."""

    axis_m: Margin = 0.25
    """direction: the object's distance from both axes of `ego_level`."""
    rounding_m: Annotated[float, Ge(0.02), Lt(0.5)] = 0.1
    """distance: how far the distance keeps from x.5, where rounding to whole metres flips."""
    nearer_m: Margin = 0.4
    """nearest and nearest_to: difference of the two horizontal distances."""
    height_m: Margin = 0.15
    """size: difference of the two vertical extents."""
    side_px: Annotated[float, Ge(0.01), Lt(32)] = 5.0
    """side: distance from the middle column of the 64-pixel-wide model image."""


class Dropped(Enum):
    """Why a possible question was not asked."""

    TIE = "within the margin"
    RANGE = "outside the range of the answers"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with its answer and what the answer rests on.

    `object_ids` and `names` are parallel: the objects in the order of the text. `measured` holds the
    quantities that decide the answer, unit in the name, positions in `ego_level`, rounded to centimetres.
    `margin` says how far the decision is from flipping, in the family's unit (1 where nothing is measured).
    """

    family: str
    slice: str
    text: str
    answer: str
    object_ids: tuple[int, ...]
    names: tuple[str, ...]
    measured: Mapping[str, float] = field(default_factory=dict)
    margin: float = 1.0

    def evidence(self) -> dict[str, Any]:
        """The evidence as it is stored: ids, names, quantities, margin."""
        return {
            "object_ids": list(self.object_ids),
            "names": list(self.names),
            "measured": dict(self.measured),
            "margin": round(self.margin, 4),
            "frame": "ego_level",
        }


Arguments = tuple[Any, ...]
Buckets = Sequence[Sequence[Arguments]]


@dataclass(frozen=True)
class Family:
    """A question family as a table row.

    Attributes:
        name: for instance `direction`.
        answers: the answers it can give.
        choices: the arguments that a situation offers, in buckets that should be equally common (by answer
            where that is known beforehand).
        ask: makes the candidate for one choice, or says why there is none.
        explain: the reasoning text of a candidate; it quotes the measured numbers and can be recomputed.
        max_share: largest share of a scan's questions of this family (and slice) that one answer may take;
            0.5 makes two answers equally common.
        slices: parts of the family that are reported apart; a scan's questions are divided evenly over them.
        learnable_by_pocket: false where the pocket model has no circuit for it.
    """

    name: str
    answers: tuple[str, ...]
    choices: Callable[[Situated], Buckets]
    ask: Callable[[Situated, Arguments, Margins], Candidate | Dropped]
    explain: Callable[[Candidate], str]
    max_share: float
    slices: tuple[str, ...] = ("",)
    learnable_by_pocket: bool = True


def metres(value: float) -> float:
    """Rounded to centimetres, as evidence is stored; never -0.0."""
    return round(value, 2) + 0.0
