"""exist: is there an object of that colour and class?

"yes" needs one that is visible in the views; "no" needs that the whole room has none, so that an object out
of sight never makes an answer wrong.
"""

from __future__ import annotations

from vantage.questions import words
from vantage.questions.families.base import Arguments, Buckets, Candidate, Dropped, Family, Margins
from vantage.questions.scene import Situated


def _choices(s: Situated) -> Buckets:
    present = s.scene.kinds if s.scene.colored else {("", label): () for label in s.scene.labels}
    seen = {(o.color if s.scene.colored else "", o.label) for o in s.visible}
    if not seen:
        return ([], [])
    colors = words.COLORS if s.scene.colored else ("",)
    absent = [(c, k) for c in colors for k in words.CLASSES if (c, k) not in present]
    return (sorted(seen), absent)


def _ask(s: Situated, arguments: Arguments, margins: Margins) -> Candidate | Dropped:
    color, label = arguments
    name = f"{color} {label}" if color else label
    found = [o for o in s.visible if o.label == label and (not color or o.color == color)]
    return Candidate(
        family="exist",
        slice="",
        text=f"is there {words.article(name)}?",
        answer="yes" if found else "no",
        object_ids=tuple(o.object_id for o in found),
        names=(name,) * len(found),
        measured={"matches": float(len(found))},
    )


def _explain(c: Candidate) -> str:
    name = c.text.removeprefix("is there ").removesuffix("?").split(" ", 1)[1]
    return f"objects that are a {name}: {c.measured['matches']:.0f}. {c.answer}."


EXIST = Family("exist", words.YES_NO, _choices, _ask, _explain, max_share=0.5)
