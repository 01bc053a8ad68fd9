"""Question families: relations with a template, an answer, evidence and reasoning; one table by name."""

from __future__ import annotations

from functools import cache
from typing import Final

from vantage.core.names import Names
from vantage.questions.families.base import Candidate, Dropped, Family, Margins

__all__ = ["FAMILIES", "FAMILY_NAMES", "Candidate", "Dropped", "Family", "Margins", "family"]

_TABLE = {
    "exist": "existence:EXIST",
    "count": "counting:COUNT",
    "category": "attributes:CATEGORY",
    "color": "attributes:COLOR",
    "side": "egocentric:SIDE",
    "direction": "egocentric:DIRECTION",
    "distance": "egocentric:DISTANCE",
    "nearest": "comparing:NEAREST",
    "size": "comparing:SIZE",
    "nearest_to": "comparing:NEAREST_TO",
}
FAMILY_NAMES: Final = tuple(_TABLE)
"""The project's own families, in the order of reports."""

FAMILIES: Final[Names[Family]] = Names(
    "question family",
    {name: f"vantage.questions.families.{target}" for name, target in _TABLE.items()},
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
