"""What follows from executed steps, and a spoken answer brought in line with it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from vantage.questions import words

_WORDS: Final = ("zero", *words.NUMBERS, "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = re.compile(
    rf"(?<![\w.-])(?:-?[0-9]+(?:\.[0-9]+)?|{'|'.join(_WORDS)})(?![\w]|\.[0-9])", re.IGNORECASE
)


@dataclass(frozen=True)
class Conclusion:
    """What follows from the boxes and the steps when every step is executed rather than believed.

    Attributes:
        words: of the choices, in order.
        choices: the two words that each of them chose from.
        number: the last value where nothing was chosen; None where there is none.
    """

    words: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    number: float | None = None

    def spoken(self) -> str:
        """As an answer of the question families: `front-left`, `three`; empty where nothing follows."""
        return "-".join(self.words) if self.words else _number(self.number)

    def alternatives(self) -> frozenset[str]:
        """Every answer that the choices could have given."""
        return frozenset("-".join(each) for each in itertools.product(*self.choices))


def corrected(answer: str, conclusion: Conclusion) -> str:
    """The answer with the word or the number that follows from the steps in place of its own.

    It stays as it is where nothing follows, or where it does not hold exactly one such word or number. A
    number keeps its form: a word or digits, with as many decimals.
    """
    if conclusion.words:
        longest_first = sorted(conclusion.alternatives(), key=len, reverse=True)
        pattern = re.compile(
            rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.IGNORECASE
        )
    elif conclusion.number is not None:
        pattern = _NUMBER
    else:
        return answer
    found = list(pattern.finditer(answer))
    if len(found) != 1:
        return answer
    said, (start, end) = found[0][0], found[0].span()
    right = conclusion.spoken() if conclusion.words else _in_form_of(said, conclusion.number or 0.0)
    return answer if said.lower() == right.lower() else answer[:start] + right + answer[end:]


def _in_form_of(said: str, value: float) -> str:
    if said.lower() in _WORDS:
        return _number(value)
    return f"{value:.{len(said.partition('.')[2])}f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value):
        return _WORDS[int(value)] if 0 <= value < len(_WORDS) else str(int(value))
    return f"{value:g}"
