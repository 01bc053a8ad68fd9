"""How a reply becomes a number, by the name of who reads it so, and the scores of numbers."""

from __future__ import annotations

import math
import re

import numpy as np

_UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 0.001),
    **dict.fromkeys(("in", "inch", "inches"), 0.0254),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
}
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = {word: i for i, word in enumerate(_ONES)}
WORDS |= {word: 10 * (i + 2) for i, word in enumerate(_TENS)}
WORDS |= {f"{t}-{_ONES[k]}": 10 * (i + 2) + k for i, t in enumerate(_TENS) for k in range(1, 10)}

_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_FIRST = re.compile(rf"-?\d+(?:\.\d+)?|\b(?:{_WORD})\b", re.IGNORECASE)
_LAST = re.compile(r"-?\d+(?:\.\d+)?")
_OURS = re.compile(
    rf"(?<![\w.])(?P<number>[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?|\.\d+|\b(?:{_WORD})\b)(?![a-z]*\d)"
    r"(?P<range>\s*(?:-|\u2013|to|or)\s*\d)?(?:\s*-?(?P<unit>[a-z]+)(?![a-z]))?",
    re.IGNORECASE,
)
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def whole_token(reply: str) -> float | None:
    """VSI-Bench's harness: what `float` makes of the first word by single spaces, without final stops."""
    try:
        return float(reply.split(" ")[0].rstrip(".").strip())
    except ValueError:
        return None


def first_number(reply: str) -> float | None:
    """lmms-eval: the first number or number word anywhere; 1 of "1,200", 10 of "10-12"."""
    match = _FIRST.search(reply)
    if match is None:
        return None
    text = match.group().lower()
    return float(WORDS[text]) if text in WORDS else float(text)


def last_number(reply: str) -> float | None:
    """VLMEvalKit: the last number; -12 of "10-12"."""
    found = _LAST.findall(reply)
    return float(found[-1]) if found else None


def only_number(reply: str) -> float | None:
    """Ours: the number that a reply states, whatever its unit; None for none, a range or several."""
    found = _numbers(reply)
    values = {value for value, _unit in found or ()}
    return values.pop() if len(values) == 1 else None


def only_length_m(reply: str, fallback: float = 1.0) -> float | None:
    """Ours: the length (m) that a reply states, by its unit (without one, `fallback` m); else None."""
    found = _numbers(reply)
    with_unit = [(v, u) for v, u in found or () if u in _UNITS] or found or []
    values = {value * _UNITS.get(unit, fallback) for value, unit in with_unit}
    return values.pop() if len(values) == 1 else None


def _numbers(reply: str) -> list[tuple[float, str]] | None:
    """Numbers and the words after them; None if one is a range."""
    found = []
    for match in _OURS.finditer(reply):
        if match["range"]:
            return None
        text = match["number"].lower().replace(",", "")
        value = float(WORDS[text]) if text in WORDS else float(text)
        found.append((value, (match["unit"] or "").lower()))
    return found


def mean_relative_accuracy(predicted: float | None, truth: float) -> float:
    """The share of ten thresholds t, 0.50 to 0.95, with |p - g| / g <= 1 - t; 0 without a prediction.

    In floating point as published: 90 for 100 scores 0.9. For a truth of 0, where the published code divides
    by 0, only 0 is right. Source: VSI-Bench (Yang et al., CVPR 2025), equation 1.
    """
    if predicted is None or not math.isfinite(predicted):
        return 0.0
    if truth == 0:
        return float(predicted == 0)
    off = abs(predicted - truth) / truth
    return float((off <= 1 - THRESHOLDS).mean())


def within_quarter(predicted: float | None, truth: float) -> bool:
    """Whether a prediction lies within a quarter of the truth, the ends included (SpatialRGPT-Bench)."""
    return predicted is not None and 0.75 * truth <= predicted <= 1.25 * truth
