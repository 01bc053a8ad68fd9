"""A score as a function of sums over items, so that one bootstrap serves means, macro means and ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import ArrayLike

Values = Float64[np.ndarray, " n"]
Within = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Measure:
    """One number of one rule on n items.

    Attributes:
        columns: what is summed over items, (n, k).
        of_sums: the number from sums (..., k); NaN where nothing was summed.
        per_item: the value of each item, NaN for items it does not concern; None where items have none, or
            have them under another measure.
        n: number of items it rests on.
    """

    columns: Float64[np.ndarray, "n k"]
    of_sums: Callable[[np.ndarray], np.ndarray]
    per_item: Float64[np.ndarray, " n"] | None
    n: int

    @property
    def value(self) -> float:
        """The number over all items."""
        return float(self.of_sums(self.columns.sum(axis=0)))


def mean_of(values: Values, within: Within | None = None) -> Measure:
    """The mean of the items' values, over all items or those `within`."""
    inside = np.ones(len(values), dtype=bool) if within is None else within
    columns = np.stack([np.where(inside, values, 0.0), inside.astype(np.float64)], axis=1)
    return Measure(columns, ratio, np.where(inside, values, np.nan), int(inside.sum()))


def slice_of(values: Values, within: Within) -> Measure:
    """The mean over some items, whose own values stand under the measure of all."""
    return replace(mean_of(values, within), per_item=None)


def macro_of(parts: Sequence[Measure]) -> Measure:
    """The unweighted mean of measures of the same items, of those that have a value."""
    items = len(parts[0].columns) if parts else 0
    columns = np.concatenate([part.columns for part in parts] or [np.zeros((items, 0))], axis=1)
    ends = np.cumsum([0, *(part.columns.shape[1] for part in parts)])

    def of_sums(sums: np.ndarray) -> np.ndarray:
        if not parts:
            return np.full(sums.shape[:-1], np.nan)
        values = np.stack([part.of_sums(sums[..., ends[i] : ends[i + 1]]) for i, part in enumerate(parts)])
        known = np.isfinite(values)
        return over(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))

    return Measure(columns, of_sums, None, sum(part.n for part in parts))


def by_group(name: str, values: Values, groups: Mapping[str, Within]) -> dict[str, Measure]:
    """`name` over all items, then `name.GROUP` over each group's."""
    return {
        name: mean_of(values),
        **{f"{name}.{g}": slice_of(values, inside) for g, inside in groups.items()},
    }


def ratio(sums: np.ndarray) -> np.ndarray:
    """The first of two sums over the second; NaN over nothing."""
    return over(sums[..., 0], sums[..., 1])


def over(numerator: ArrayLike, denominator: ArrayLike) -> np.ndarray:
    """`numerator / denominator`, NaN where the denominator is 0."""
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))
