"""nearest, size and nearest_to: comparisons of two objects, answered yes or no.

- nearest: horizontal distances from the ego's origin to the two box centres.
- size: vertical extents of the two boxes.
- nearest_to: horizontal distances between box centres; needs the geometry of three objects, for which the
  pocket model has no circuit.

Every pair is asked in both orders, and the first two families in two wordings, so yes and no are equally
common.
"""

from __future__ import annotations

import itertools
import math

from vantage.questions import words
from vantage.questions.families.base import Arguments, Buckets, Candidate, Dropped, Family, Margins, metres
from vantage.questions.scene import Situated

_NEARER = {
    "nearer": "is the {a} nearer to me than the {b}?",
    "farther": "is the {a} farther from me than the {b}?",
}
_TALLER = {"taller": "is the {a} taller than the {b}?", "shorter": "is the {a} shorter than the {b}?"}


def _pairs(s: Situated, wordings: tuple[str, ...]) -> Buckets:
    return ([(w, a, b) for a, b in itertools.permutations(s.placed, 2) for w in wordings],)


def _ask_nearest(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    wording, a, b = arguments
    first, second = a.distance, b.distance
    if abs(first - second) < margins.nearer_m:
        return Dropped.TIE
    return Candidate(
        family="nearest",
        slice="",
        text=_NEARER[wording].format(a=a.name, b=b.name),
        answer=words.YES_NO[0 if (first < second) == (wording == "nearer") else 1],
        object_ids=(a.object_id, b.object_id),
        names=(a.name, b.name),
        measured={"first_m": metres(first), "second_m": metres(second)},
        margin=abs(first - second),
    )


def _explain_nearest(c: Candidate) -> str:
    first, second = c.measured["first_m"], c.measured["second_m"]
    return (
        f"the {c.names[0]} is {first:.2f} m from me, the {c.names[1]} {second:.2f} m. "
        f"{_compared(first, second, 'nearer', 'farther')}. {c.answer}."
    )


def _ask_size(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    wording, a, b = arguments
    if abs(a.height - b.height) < margins.height_m:
        return Dropped.TIE
    return Candidate(
        family="size",
        slice="",
        text=_TALLER[wording].format(a=a.name, b=b.name),
        answer=words.YES_NO[0 if (a.height > b.height) == (wording == "taller") else 1],
        object_ids=(a.object_id, b.object_id),
        names=(a.name, b.name),
        measured={"first_m": metres(a.height), "second_m": metres(b.height)},
        margin=abs(a.height - b.height),
    )


def _explain_size(c: Candidate) -> str:
    first, second = c.measured["first_m"], c.measured["second_m"]
    return (
        f"the {c.names[0]} is {first:.2f} m tall, the {c.names[1]} {second:.2f} m. "
        f"{_compared(first, second, 'shorter', 'taller')}. {c.answer}."
    )


def _triples(s: Situated) -> Buckets:
    return (list(itertools.permutations(s.placed, 3)),)


def _ask_nearest_to(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    a, b, c = arguments
    first, second = math.hypot(a.x - b.x, a.y - b.y), math.hypot(c.x - b.x, c.y - b.y)
    if abs(first - second) < margins.nearer_m:
        return Dropped.TIE
    return Candidate(
        family="nearest_to",
        slice="",
        text=f"is the {a.name} closer to the {b.name} than the {c.name}?",
        answer=words.YES_NO[0 if first < second else 1],
        object_ids=(a.object_id, b.object_id, c.object_id),
        names=(a.name, b.name, c.name),
        measured={"first_m": metres(first), "second_m": metres(second)},
        margin=abs(first - second),
    )


def _explain_nearest_to(c: Candidate) -> str:
    first, second = c.measured["first_m"], c.measured["second_m"]
    return (
        f"the {c.names[0]} is {first:.2f} m from the {c.names[1]}, the {c.names[2]} {second:.2f} m. "
        f"{_compared(first, second, 'closer', 'farther')}. {c.answer}."
    )


def _compared(first: float, second: float, less: str, more: str) -> str:
    return f"{first:.2f} {'<' if first < second else '>'} {second:.2f}: {less if first < second else more}"


NEAREST = Family(
    "nearest", words.YES_NO, lambda s: _pairs(s, ("nearer", "farther")), _ask_nearest, _explain_nearest, 0.5
)
SIZE = Family("size", words.YES_NO, lambda s: _pairs(s, ("taller", "shorter")), _ask_size, _explain_size, 0.5)
NEAREST_TO = Family(
    "nearest_to", words.YES_NO, _triples, _ask_nearest_to, _explain_nearest_to, 0.5, learnable_by_pocket=False
)
