"""What a sentence about regions says, by rules with word boundaries: yes or no, a region, an hour."""

from __future__ import annotations

import re

from vantage.evaluation.metrics.numbers import WORDS

_YES = re.compile(r"\b(?:yes|yeah|indeed|correct|true|that's right)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|nope|not|isn't|incorrect|false|actually)\b", re.IGNORECASE)
_REGION = re.compile(r"\bregion\s*\[?(\d+)\]?", re.IGNORECASE)
_HOUR = re.compile(r"\b(\d{1,2}|[a-z]+)\s*o'?\s*clock\b", re.IGNORECASE)

_DIGITS = 9
"""Of a region's number at most."""


def polarity(text: str) -> bool | None:
    """True for yes, False for no, by whichever word comes first; None without one."""
    yes, no = _YES.search(text), _NO.search(text)
    if yes is None and no is None:
        return None
    return no is None or (yes is not None and yes.start() < no.start())


def first_region(text: str) -> int | None:
    """The number of the region that is named first, or None."""
    match = _REGION.search(text)
    return int(match.group(1)) if match and len(match.group(1)) <= _DIGITS else None


def clock_hour(text: str) -> int | None:
    """The hour, 1 to 12, that "3 o'clock" or "three o'clock" names; None for none or two that differ."""
    said = [m.lower() for m in _HOUR.findall(text)]
    hours = {WORDS[word] if word in WORDS else int(word) if word.isdigit() else 0 for word in said}
    return hours.pop() if len(hours) == 1 and hours <= set(range(1, 13)) else None


def hours_apart(a: int, b: int) -> int:
    """The difference of two hours on the face of a clock, 0 to 6."""
    d = abs(a - b) % 12
    return min(d, 12 - d)
