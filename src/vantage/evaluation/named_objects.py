"""The annotated objects that a text names by their class."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vantage.evaluation.singular import singular
from vantage.records.objects import SceneObject
from vantage.scans.labels import UNKNOWN, nyu_class

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_LONGEST = 3  # words of a label that is looked for: "kitchen cabinet door"
_ROOM = frozenset({"wall", "floor", "ceiling"})
"""In view from everywhere: naming one says nothing about where somebody stands."""


def named_objects(text: str, objects: Sequence[SceneObject]) -> list[int]:
    """Ids of the objects whose label or NYU40 class stands in the text, in its order, then by id.

    Of overlapping names the longest counts: "coffee table" means coffee tables where there are some, and else
    tables. Plural and singular are one; walls, floor and ceiling are left out.
    """
    by_name: dict[str, list[int]] = {}
    for item in objects:
        names = {_plain(item.label), _plain(item.nyu40)} - {_plain(UNKNOWN.nyu40)}
        if not names & _ROOM:
            for name in sorted(names):
                by_name.setdefault(name, []).append(item.object_id)
    words = _WORD.findall(text.lower())
    found: list[int] = []
    at = 0
    while at < len(words):
        size, ids = _named_at(words, at, by_name)
        found += sorted(ids)
        at += size
    return list(dict.fromkeys(found))


def _named_at(words: Sequence[str], at: int, by_name: dict[str, list[int]]) -> tuple[int, list[int]]:
    """How many words from here are a name, and whose; one word and nobody where they are none."""
    for size in range(min(_LONGEST, len(words) - at), 0, -1):
        name = _plain(" ".join(words[at : at + size]))
        ids = by_name.get(name) or by_name.get(_plain(nyu_class(name).nyu40))
        if ids:
            return size, ids
    return 1, []


def _plain(name: str) -> str:
    """Lower case, the last word in the singular."""
    *first, last = name.lower().split() or [""]
    return " ".join([*first, singular(last)])
