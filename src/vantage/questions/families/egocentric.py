"""side, direction and distance: where one object is, seen from the ego.

- side: left or right half of view 1, by the object's column in the 64-pixel-wide model image.
- direction: quadrant of the box centre in `ego_level`; front is x > 0, left is y > 0. Slice `seen` when the
  object is visible in view 1, else `unseen`: then only the relative poses of the views tell the answer.
- distance: horizontal metres from the ego's origin to the box centre, rounded to whole metres.
"""

from __future__ import annotations

import math

from vantage.questions import words
from vantage.questions.families.base import Arguments, Buckets, Candidate, Dropped, Family, Margins, metres
from vantage.questions.scene import Situated

MIDDLE_PX = 31.5
"""Middle of a 64-pixel-wide image whose integer columns are pixel centres."""


def _side_choices(s: Situated) -> Buckets:
    left = [(p,) for p in s.placed if p.column is not None and p.column < MIDDLE_PX]
    right = [(p,) for p in s.placed if p.column is not None and p.column >= MIDDLE_PX]
    return (left, right)


def _ask_side(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (p,) = arguments
    offset = p.column - MIDDLE_PX
    if abs(offset) < margins.side_px:
        return Dropped.TIE
    return Candidate(
        family="side",
        slice="",
        text=f"which side of the first view is the {p.name} on?",
        answer="left" if offset < 0 else "right",
        object_ids=(p.object_id,),
        names=(p.name,),
        measured={"column_px": metres(p.column), "middle_px": MIDDLE_PX},
        margin=abs(offset),
    )


def _explain_side(c: Candidate) -> str:
    column, middle = c.measured["column_px"], c.measured["middle_px"]
    sign = "<" if c.answer == "left" else ">"
    return f"the {c.names[0]} is at column {column:.2f}. {column:.2f} {sign} {middle:.2f}. {c.answer}."


def _all_choices(s: Situated) -> Buckets:
    return ([(p,) for p in s.placed],)


def _direction_choices(s: Situated) -> Buckets:
    return ([(p,) for p in s.placed if p.column is not None], [(p,) for p in s.placed if p.column is None])


def _ask_direction(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (p,) = arguments
    margin = min(abs(p.x), abs(p.y))
    if margin < margins.axis_m:
        return Dropped.TIE
    return Candidate(
        family="direction",
        slice="unseen" if p.column is None else "seen",
        text=f"where is the {p.name} from me?",
        answer=f"{'front' if p.x > 0 else 'back'}-{'left' if p.y > 0 else 'right'}",
        object_ids=(p.object_id,),
        names=(p.name,),
        measured={"x_m": metres(p.x), "y_m": metres(p.y)},
        margin=margin,
    )


def _explain_direction(c: Candidate) -> str:
    x, y = c.measured["x_m"], c.measured["y_m"]
    ahead, across = c.answer.split("-")
    place = f"the {c.names[0]} is at x {x:.2f} m, y {y:.2f} m from me."
    along, beside = (f"{value:.2f} {'>' if value > 0 else '<'} 0" for value in (x, y))
    return f"{place} x {along}: {ahead}. y {beside}: {across}. {c.answer}."


def _ask_distance(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (p,) = arguments
    distance = p.distance
    whole = math.floor(distance + 0.5)
    margin = 0.5 - abs(distance - whole)
    if not 1 <= whole <= len(words.NUMBERS):
        return Dropped.RANGE
    if margin < margins.rounding_m:
        return Dropped.TIE
    x, y = metres(p.x), metres(p.y)
    return Candidate(
        family="distance",
        slice="",
        text=f"how far is the {p.name} from me in metres?",
        answer=words.NUMBERS[whole - 1],
        object_ids=(p.object_id,),
        names=(p.name,),
        measured={"x_m": x, "y_m": y, "distance_m": metres(math.hypot(x, y))},
        margin=margin,
    )


def _explain_distance(c: Candidate) -> str:
    x, y, d = (c.measured[name] for name in ("x_m", "y_m", "distance_m"))
    return (
        f"the {c.names[0]} is at x {x:.2f} m, y {y:.2f} m from me. "
        f"sqrt(({x:.2f})^2 + ({y:.2f})^2) = {d:.2f} m. round({d:.2f}) = {math.floor(d + 0.5)}. {c.answer}."
    )


SIDE = Family("side", words.SIDES, _side_choices, _ask_side, _explain_side, max_share=0.5)
DIRECTION = Family(
    "direction",
    words.DIRECTIONS,
    _direction_choices,
    _ask_direction,
    _explain_direction,
    max_share=0.6,
    slices=("unseen", "seen"),
)
DISTANCE = Family("distance", words.NUMBERS, _all_choices, _ask_distance, _explain_distance, max_share=0.6)
