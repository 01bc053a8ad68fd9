"""Free text to the parts of it that state something: chains of `=`, choices and comparisons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from vantage.models.grounded.arithmetic import UnreadableError, Values, evaluate, spelled

Unit = Literal["", "rad", "deg"]

_SENTENCE = re.compile(r"(?<=[.;!?])\s+")
_EQUALS = re.compile(r"(?<![<>=!:])=(?!=)")
_STATED = re.compile(
    r"\s*[(\[]?\s*(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))\s*[)\]]?"
    r"\s*(?:[(\[]?\s*(?P<unit>rad(?:ians?)?|deg(?:rees?)?|°)(?![a-z])\s*[)\]]?)?"
    r"(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_UNIT_OF_LENGTH = re.compile(r"\s*(?:m|met(?:re|er)s?|cm)?\s*[.,;:]?\s*", re.IGNORECASE)
CHOICE: Final = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<yes>[A-Za-z][\w-]*) if (?P<test>[^=]*?(?:[<>]=?)[^=]*?) "
    r"else (?P<no>[A-Za-z][\w-]*)\s*=\s*(?P<said>[A-Za-z][\w-]*)\s*\.?"
)
_SIDE = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|[A-Za-z_]\w*(?:\.[a-z]+)?)"
_COMPARISON = re.compile(rf"(?<![\w.)*/+-])({_SIDE}\s*(?:<=|>=|<|>)\s*{_SIDE})(?![\w(*/+])")
_CONDITIONAL = re.compile(r"\b(?:if|when|whether|unless|until|while)\s*$", re.IGNORECASE)
_NAME_AT_END = re.compile(r"(?:^|[\s:(])([A-Za-z_]\w*)\s*$")
_LONGEST_SEARCH = 200


@dataclass(frozen=True)
class Stated:
    """A number as it was written: its text, the value, decimals, and the unit of an angle if one follows."""

    text: str
    value: float
    decimals: int
    unit: Unit

    @property
    def tolerance(self) -> float:
        """Half a unit of the last printed digit."""
        return float(0.5 * 10.0**-self.decimals + 1e-9)

    def rounded(self, value: float) -> float:
        """A value with as many decimals as this number has."""
        return round(value, self.decimals) + 0.0


def clauses(text: str) -> Iterator[str]:
    """Lines cut into sentences, and these at commas and semicolons outside of brackets."""
    for line in text.splitlines():
        for sentence in _SENTENCE.split(line):
            yield from (" ".join(part.split()) for part in _outside_brackets(sentence) if part.strip())


def _outside_brackets(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, sign in enumerate(text):
        depth = max(0, depth + (sign in "([") - (sign in ")]"))
        if depth == 0 and sign in ",;":
            yield text[start:place]
            start = place + 1
    yield text[start:]


def chain(clause: str) -> list[str]:
    """What stands between the `=` of a clause."""
    return _EQUALS.split(spelled(clause))


def comparisons(clause: str) -> list[str]:
    """What a clause states to be less or greater; what follows an "if" is not stated."""
    found = _COMPARISON.finditer(clause)
    return [each[1] for each in found if not _CONDITIONAL.search(clause[: each.start()])]


def stated(part: str, last: bool) -> Stated | None:
    """The number that a part of a chain is, with its unit; in the last part other words may follow it."""
    found = _STATED.fullmatch(part)
    if found is None:
        return None
    rest = found["rest"]
    if not _UNIT_OF_LENGTH.fullmatch(rest) and not (last and re.match(r"\s*[a-zA-Z.,;:!]", rest)):
        return None
    number, unit = found["number"], (found["unit"] or "").lower()
    decimals = len(number.partition(".")[2])
    kind: Unit = "" if not unit else "rad" if unit.startswith("rad") else "deg"
    return Stated(number.removeprefix("+"), float(number), decimals, kind)


def expression_at_end(part: str, values: Values) -> str | None:
    """The longest end of a text that is arithmetic (a single number is not), words before it left out."""
    text = part.strip()
    for place in range(max(0, len(text) - _LONGEST_SEARCH), len(text)):
        before, candidate = text[:place], text[place:]
        if not _may_begin(before, candidate):
            continue
        if stated(candidate, last=False) is not None:
            return None
        try:
            evaluate(candidate, values)
        except UnreadableError:
            continue
        return candidate
    return None


def _may_begin(before: str, candidate: str) -> bool:
    """Whether an expression may begin here: after a word or a colon, not in the middle of another one."""
    if not before:
        return True
    return (
        before[-1] in " \t:"
        and not before.rstrip().endswith(tuple("+-*/%(,^<>"))
        and candidate[0] not in "+*/%),"
        and not candidate.startswith("- ")
    )


def name_at_end(part: str) -> str | None:
    """The name that a part of a chain ends in, if any."""
    found = _NAME_AT_END.search(part)
    return found[1] if found else None
