"""Items whose answer hangs on a direction, by named rules or by a judge's file, and the rest of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.files import load, records, unique
from vantage.evaluation.benchmarks.interface import Item

_WORDS = re.compile(
    r"\b(?:(?:my|your|its|the) right|(?:left|right)wards?|left(?:most|-?hand)?|"
    r"right(?:most|-?hand)?(?! (?:next|beside|above|below|under|on top|by|near|"
    r"away|now)\b)|behind|in front|front of|(?:at|to|in|on) (?:the|my|your|its) (?:front|back)|back of|"
    r"against|forwards?|backwards?|o'?clock)\b",
    re.IGNORECASE,
)
_OF_THE_ROOM = re.compile(r"\b(?:left|right)(?:-?hand)? (?:side|corner|wall|part|end) of the room\b", re.I)


def by_words(text: str) -> bool:
    """Ours: a lateral word in its own right, left and right of the whole room or "right next to" apart."""
    return _WORDS.search(_OF_THE_ROOM.sub(" ", text)) is not None


def by_substring(text: str) -> bool:
    """PoseAlign3D's heuristic: the letters "left" or "right" anywhere, so that "bright" counts."""
    low = text.lower()
    return "left" in low or "right" in low


RULES: Mapping[str, Callable[[str], bool]] = {"words": by_words, "substring": by_substring}


def item_texts(items: Sequence[Item[Any]]) -> list[str]:
    """Question and accepted answers of each item, or the captions; the situation stays out.

    Raises:
        ParameterError: items of a benchmark that has neither.
    """
    found = []
    for content in (item.content for item in items):
        accepted = getattr(content, "answers", None) or getattr(content, "captions", None)
        if not isinstance(accepted, tuple):
            raise ParameterError(
                "this benchmark has no answers or captions to tell a subset by",
                where="--subset",
                expected="scanqa, sqa3d, msqa or scan2cap",
            )
        found.append(" \n ".join([getattr(content, "question", ""), *accepted]))
    return found


def direction_subset(
    subset: str, ids: Sequence[str], texts: Sequence[str]
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Which items are in the subset and which in its complement; undecided ones are in neither.

    Args:
        subset: `words`, `substring`, or a file of `vantage judge --direction --per-item`: JSON lines of `id`
            and `direction` (true, false, or null where the judge failed).
        ids: of the items.
        texts: of each item, question and references joined (captions: references alone).

    Raises:
        ParameterError: neither a rule nor a file.
        ContractError: the file lacks an item or breaks its format.
    """
    if subset in RULES:
        inside = np.array([RULES[subset](text) for text in texts], dtype=bool)
        return inside, ~inside
    path = Path(subset)
    if not path.is_file():
        raise ParameterError(
            f"no subset {subset!r}", where="--subset", expected=f"{', '.join(RULES)} or a file of a judge"
        )
    rows = unique(records(path, load(path)), lambda row: row.text("id"))
    values = {}
    for name, row in rows.items():
        value = row.fields.get("direction", "")
        if value is not None and not isinstance(value, bool):
            raise row.error("direction: true, false or null", repr(value)[:40])
        values[name] = value
    if lacking := [name for name in ids if name not in values]:
        raise ContractError(
            "the file of a subset lacks items", where=path, expected=f"{len(ids)} ids", found=lacking[0]
        )
    inside = np.array([values[name] is True for name in ids], dtype=bool)
    outside = np.array([values[name] is False for name in ids], dtype=bool)
    return inside, outside
