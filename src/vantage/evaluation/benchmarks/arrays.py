"""Numbers out of records: finite, and of a size that nothing computed from them overflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from vantage.evaluation.benchmarks.files import Record

LARGEST = 1e6
"""Of any number: metres beyond it, or pixels, are a mistake, and cubes of what is below fit into float32."""


def numbers(row: Record, expected: str, value: object) -> Float64[np.ndarray, "..."]:
    """The numbers of a field, nested as they are; `ContractError` for anything else."""
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise row.error(expected, repr(value)[:80]) from error
    if not (np.abs(found) <= LARGEST).all():
        raise row.error(f"finite numbers up to {LARGEST:g}, {expected}", repr(value)[:80])
    return found


def named(row: Record, value: object, names: Sequence[str], expected: str) -> Float64[np.ndarray, " k"]:
    """Components by name: their order in the file means nothing."""
    if not isinstance(value, Mapping) or any(name not in value for name in names):
        raise row.error(expected, repr(value)[:80])
    found = numbers(row, expected, [value[name] for name in names])
    if found.shape != (len(names),):
        raise row.error(expected, repr(value)[:80])
    return found
