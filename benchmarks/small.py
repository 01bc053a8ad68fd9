"""Benchmarks made small by `VANTAGE_BENCH=small`, to see in seconds that they still run.

What they assert of results holds at any size; what they assert of time, memory or learning at full size only.
"""

from __future__ import annotations

import os
from typing import TypeVar

SMALL = os.environ.get("VANTAGE_BENCH") == "small"
T = TypeVar("T")


def sized(full: T, small: T) -> T:
    """The size of the work: the benchmark's own, or a small one."""
    return small if SMALL else full


def require(holds: bool, told: object = "") -> None:
    """Assert a bound that means something at full size only."""
    assert SMALL or holds, told
