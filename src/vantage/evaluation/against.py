"""Two files of predictions on the same items: paired differences, and whether they are more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from vantage.core.errors import ContractError
from vantage.core.seeds import rng
from vantage.evaluation.metrics.measure import Measure, ratio
from vantage.evaluation.scoring import Scored
from vantage.evaluation.significance import Comparison, compare
from vantage.evaluation.statistics import Z95, bootstrap_intervals

_Z_POWER = 0.8416212335729143  # the normal quantile of significance.POWER
_MEAN_RTOL = 1e-9

Key = tuple[str, str, str]
"""Part of the file ("", `direction` or `complement`), variant, metric."""


@dataclass(frozen=True)
class Difference:
    """One measure of two files on the same items.

    Attributes:
        ours, theirs: its two values.
        interval: 95 % percentile interval of ours - theirs by a paired bootstrap; None where nothing varies
            between fewer than two scenes (or items).
        n: items it rests on.
        test: McNemar's, where every item is right or wrong; corrected over all differences made together.
        detectable: the smallest true difference that would be found with a power of 0.8 at 0.05: exact where
            there is a test, else from the interval's width; None where none could be.
    """

    ours: float
    theirs: float
    interval: tuple[float, float] | None
    n: int
    test: Comparison | None
    detectable: float | None

    @property
    def difference(self) -> float:
        """Ours less theirs; NaN where either has no value."""
        return self.ours - self.theirs

    def record(self) -> dict[str, Any]:
        """For `--json`; null where nothing could be measured or the items are not right or wrong."""
        low, high = self.interval or (None, None)
        told = None if self.test is None else self.test.record()
        return {
            "value": _finite(self.ours),
            "against": _finite(self.theirs),
            "difference": _finite(self.difference),
            "low": low,
            "high": high,
            "n": self.n,
            **{name: told and told[name] for name in ("ours_only", "theirs_only", "p", "p_holm")},
            "detectable": self.detectable,
        }


def differences(ours: Scored, theirs: Scored, seed: int, resamples: int) -> dict[Key, Difference]:
    """Every measure that both files have, and Holm's correction over all tests made here.

    Args:
        ours, theirs: scores against the same references, with the same variants and subset.
        seed: of the draws, which both files share.
        resamples: number of draws.

    Raises:
        ContractError: the two were not scored on the same items.
    """
    found: dict[Key, tuple[Measure, Measure, tuple[float, float] | None]] = {}
    for part, (a, b) in _parts(ours, theirs).items():
        found |= _measured(part, a, b, seed, resamples)
    pairs = {key: outcomes for key, (a, b, _) in found.items() if (outcomes := both_outcomes(a, b))}
    tests = compare(pairs)
    return {
        key: Difference(
            a.value, b.value, interval, max(a.n, b.n), tests.get(key), _detectable(tests.get(key), interval)
        )
        for key, (a, b, interval) in found.items()
    }


def changed(ours: Scored, theirs: Scored) -> list[str]:
    """Ids of the items for which the two files predict something else, in the references' order.

    Two ways of running one model (another batch size, another machine) should change none, or few.
    """
    pairs = zip(ours.items, ours.said, theirs.said, strict=True)
    return [item.id for item, a, b in pairs if not _same(a, b)]


def _same(a: Any, b: Any) -> bool:
    """Equality of predictions, whose fields may be arrays."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b)
    if is_dataclass(a) and not isinstance(a, type) and type(a) is type(b):
        return all(_same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return bool(a == b)


def _parts(ours: Scored, theirs: Scored) -> dict[str, tuple[Scored, Scored]]:
    parts = {"": (ours, theirs)} | {name: (part, theirs.parts[name]) for name, part in ours.parts.items()}
    for name, (a, b) in parts.items():
        if [item.id for item in a.items] != [item.id for item in b.items]:
            raise ContractError("two files were scored on different items", where=name or "--against")
    return parts


def _measured(
    part: str, ours: Scored, theirs: Scored, seed: int, resamples: int
) -> dict[Key, tuple[Measure, Measure, tuple[float, float] | None]]:
    keys = [
        (part, variant, metric)
        for variant, measures in ours.variants.items()
        for metric in measures
        if metric in theirs.variants.get(variant, {})
    ]
    pairs = [
        (ours.variants[variant][metric], theirs.variants[variant][metric]) for _, variant, metric in keys
    ]
    clusters = np.array([item.scene or item.id for item in ours.items])
    apart = [less(a, b) for a, b in pairs]
    intervals = bootstrap_intervals(apart, clusters, rng(seed, "against", part), resamples)
    return {key: (*pair, interval) for key, pair, interval in zip(keys, pairs, intervals, strict=True)}


def less(ours: Measure, theirs: Measure) -> Measure:
    """The difference of two measures of the same items, as a measure: both are taken over the same draws."""
    width = ours.columns.shape[1]

    def of_sums(sums: np.ndarray) -> np.ndarray:
        return np.asarray(ours.of_sums(sums[..., :width]) - theirs.of_sums(sums[..., width:]))

    return Measure(
        np.concatenate([ours.columns, theirs.columns], axis=1), of_sums, None, max(ours.n, theirs.n)
    )


def both_outcomes(
    ours: Measure, theirs: Measure
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]] | None:
    """What both scored on the items they concern, if that is right (1) or wrong (0) on the same items."""
    a, b = _outcomes(ours), _outcomes(theirs)
    if a is None or b is None or not np.array_equal(a[1], b[1]):
        return None
    return a[0][a[1]], b[0][b[1]]


def _outcomes(measure: Measure) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]] | None:
    """Values of the items and which of them count, if the measure is a mean of zeros and ones."""
    if measure.of_sums is ratio:
        values, concerned = measure.columns[:, 0], measure.columns[:, 1] != 0
        means = bool(np.isin(measure.columns[:, 1], (0, 1)).all())
    elif measure.per_item is not None:
        values, concerned = measure.per_item, np.isfinite(measure.per_item)
        means = bool(concerned.any()) and np.isclose(values[concerned].mean(), measure.value, rtol=_MEAN_RTOL)
    else:
        return None
    right_or_wrong = bool(np.isin(values[concerned], (0, 1)).all())
    return (values, concerned) if means and right_or_wrong and concerned.any() else None


def _detectable(test: Comparison | None, interval: tuple[float, float] | None) -> float | None:
    if test is not None:
        return None if test.detectable_points is None else test.detectable_points / 100
    if interval is None or interval[0] == interval[1]:
        return None
    return (interval[1] - interval[0]) / (2 * Z95) * (Z95 + _Z_POWER)


def record(found: Mapping[Key, Difference]) -> dict[str, Any]:
    """For `--json`: differences by variant and metric, and `subsets` with the same of each part."""
    parts: dict[str, Any] = {}
    for (part, variant, metric), difference in found.items():
        parts.setdefault(part, {}).setdefault(variant, {})[metric] = difference.record()
    whole = parts.pop("", {})
    return {"variants": whole, **({"subsets": parts} if parts else {})}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
