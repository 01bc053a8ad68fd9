"""Question families: relations with a template, an answer, evidence and reasoning; one table by name."""

from __future__ import annotations

from functools import cache
from typing import Final

from vantage.core.names import Names
from vantage.questions.families.base import Candidate, Dropped, Family, Margins

__all__ = ["FAMILIES", "FAMILY_NAMES", "Candidate", "Dropped", "Family", "Margins", "family"]

_TABLE = {
    "exist": "vantage.questions.families.existence:EXIST",
    "count": "vantage.questions.families.counting:COUNT",
    "category": "vantage.questions.families.attributes:CATEGORY",
    "color": "vantage.questions.families.attributes:COLOR",
    "side": "vantage.questions.families.egocentric:SIDE",
    "direction": "vantage.questions.families.egocentric:DIRECTION",
    "distance": "vantage.questions.families.egocentric:DISTANCE",
    "nearest": "vantage.questions.families.comparing:NEAREST",
    "size": "vantage.questions.families.comparing:SIZE",
    "nearest_to": "vantage.questions.families.comparing:NEAREST_TO",
}
FAMILY_NAMES: Final = tuple(_TABLE)
"""The project's own families, in the order of reports."""

FAMILIES: Final[Names[Family]] = Names(
    "question family",
    _TABLE,
    group="vantage.question_families",
)
"""Families by name; other packages add theirs through the entry-point group `vantage.question_families`."""


@cache
def family(name: str) -> Family:
    """A family by name, looked up once (a draw asks for families thousands of times a second).

    Raises:
        ParameterError: the name is unknown.
    """
    return FAMILIES.get(name)
