"""The answer cleaner behind "refined exact match", rule for rule and in its published order.

Several benchmarks' numbers rest on one function, `clean_answer` of embodied-generalist (LEO), copied into
3D-LLaVA, LLaVA-3D, Video-3D-LLM, VLM-3R and PoseAlign3D. Its oddities are kept on purpose, since scores are
only comparable with them: it deletes whole answers ("?" becomes ""), turns "let" into "left", "2.5" into
"25", and counts in words only up to twenty and for 23.
"""

from __future__ import annotations

import re
from functools import lru_cache

VERSION = 1

_TYPOS = {
    "letf": "left",
    "let": "left",  # also hits the real word
    "tehre": "there",
    "rigth": "right",
    "rght": "right",
    "behine": "behind",
    "tv": "TV",  # upper case, although everything else is lower case
    "chai": "chair",
    "wasing": "washing",
    "waslked": "walked",
    "oclock": "o'clock",
}
_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)


def _rules() -> list[tuple[re.Pattern[str], str]]:
    """The ordered substitutions that follow lower-casing."""
    rules = [
        (r" +$", ""),  # spaces only: a trailing newline or tab stays
        (r"^ +", ""),
        (r" {2,}", " "),
        (r"[^a-zA-Z0-9,'\s\-:]+", ""),
    ]
    rules += [(rf"\b{wrong}\b", right) for wrong, right in _TYPOS.items()]
    rules.append((r"\bo' +clock\b", "o'clock"))
    rules.append((r"\b0\b", "zero"))
    rules.append((r"\bnone\b", "zero"))
    rules += [(rf"\b{n}\b", word) for n, word in enumerate(_NUMBERS) if n > 0]
    rules.append((r"\b23\b", "twenty-three"))
    rules.append((r"\b([a-zA-Z]+)[0-9]\b", r"\1"))  # mat2 -> mat, but room12 stays
    rules += [(rf"\b{article}\b ([a-zA-Z]+)", r"\1") for article in ("a", "an", "the")]
    rules.append((r"\bbackwards\b", "backward"))
    return [(re.compile(pattern), replacement) for pattern, replacement in rules]


_RULES = _rules()


@lru_cache(maxsize=1 << 16)
def clean_answer(text: str) -> str:
    """The cleaned form of an answer.

    LEO's `clean_answer`, without its three rules that can never fire: an earlier one removes their input.
    """
    text = text.lower()
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
