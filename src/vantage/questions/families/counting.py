"""count: how many objects of a class are there? Asked when every one of them is visible in the views."""

from __future__ import annotations

from vantage.questions import words
from vantage.questions.families.base import Arguments, Buckets, Candidate, Dropped, Family, Margins
from vantage.questions.scene import Situated


def _choices(s: Situated) -> Buckets:
    by_count: dict[int, list[Arguments]] = {}
    for label, objects in s.scene.labels.items():
        if all(o.object_id in s.seen.views for o in objects):
            by_count.setdefault(len(objects), []).append((label,))
    return [by_count[count] for count in sorted(by_count)]


def _ask(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    (label,) = arguments
    objects = s.scene.labels[label]
    if len(objects) > len(words.NUMBERS):
        return Dropped.RANGE
    return Candidate(
        family="count",
        slice="",
        text=f"how many {words.plural(label)} are there?",
        answer=words.NUMBERS[len(objects) - 1],
        object_ids=tuple(o.object_id for o in objects),
        names=tuple(o.name for o in objects),
        measured={"matches": float(len(objects))},
    )


def _explain(c: Candidate) -> str:
    return f"i see {', '.join(words.article(n) for n in c.names)}: {c.measured['matches']:.0f}. {c.answer}."


COUNT = Family("count", words.NUMBERS, _choices, _ask, _explain, max_share=0.6)
