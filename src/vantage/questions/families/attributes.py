"""category and color: what is the COLOR object, and what color is the CLASS?

Asked when the colour belongs to one class in the whole room, or the class has one colour, and at least one of
the objects is visible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vantage.questions import words
from vantage.questions.families.base import Arguments, Buckets, Candidate, Dropped, Family, Margins
from vantage.questions.scene import RoomObject, Situated


def _unambiguous(
    s: Situated, groups: Mapping[str, tuple[RoomObject, ...]], other: Callable[[RoomObject], str]
) -> Buckets:
    if not s.scene.colored:
        return ([],)
    return (
        [
            (key,)
            for key, objects in groups.items()
            if len({other(o) for o in objects}) == 1 and any(o.object_id in s.seen.views for o in objects)
        ],
    )


def _seen(s: Situated, objects: tuple[RoomObject, ...]) -> tuple[RoomObject, ...]:
    return tuple(o for o in objects if o.object_id in s.seen.views)


def _candidate(family: str, text: str, answer: str, objects: tuple[RoomObject, ...]) -> Candidate:
    return Candidate(
        family, "", text, answer, tuple(o.object_id for o in objects), tuple(o.name for o in objects)
    )


def _category_choices(s: Situated) -> Buckets:
    return _unambiguous(s, s.scene.colors, lambda o: o.label)


def _ask_category(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (color,) = arguments
    objects = _seen(s, s.scene.colors[color])
    return _candidate("category", f"what is the {color} object?", objects[0].label, objects)


def _color_choices(s: Situated) -> Buckets:
    return _unambiguous(s, s.scene.labels, lambda o: o.color)


def _ask_color(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (label,) = arguments
    objects = _seen(s, s.scene.labels[label])
    return _candidate("color", f"what color is the {label}?", objects[0].color, objects)


def _explain(c: Candidate) -> str:
    return f"i see {words.article(c.names[0])}. {c.answer}."


CATEGORY = Family("category", words.CLASSES, _category_choices, _ask_category, _explain, max_share=1.0)
COLOR = Family("color", words.COLORS, _color_choices, _ask_color, _explain, max_share=1.0)
