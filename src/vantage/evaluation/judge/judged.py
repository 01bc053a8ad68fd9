"""Verdicts on items as numbers: accuracy with interval, spread over repeats, failures apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from vantage.core.seeds import rng
from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.verdict import Decision
from vantage.evaluation.metrics.measure import Measure, mean_of
from vantage.evaluation.statistics import bootstrap_intervals


@dataclass(frozen=True)
class Judged:
    """What a judge decided.

    Attributes:
        judge: its name, the rubric's version in it.
        cases: the items.
        decisions: for each item, one for each repeat.
    """

    judge: str
    cases: Sequence[Case]
    decisions: Sequence[Sequence[Decision]]

    @property
    def verdicts(self) -> Float64[np.ndarray, "n repeats"]:
        """1 and 0 by item and repeat; NaN for a failure."""
        rows = [[np.nan if d.value is None else float(d.value) for d in row] for row in self.decisions]
        return np.array(rows, dtype=np.float64).reshape(len(self.cases), -1)

    @property
    def shares(self) -> Float64[np.ndarray, " n"]:
        """For each item, the share of its repeats with a verdict that say correct; NaN where all failed."""
        known = np.isfinite(self.verdicts)
        sums = np.where(known, self.verdicts, 0.0).sum(axis=1)
        return np.asarray(
            np.divide(sums, known.sum(axis=1), out=np.full(len(sums), np.nan), where=known.any(axis=1))
        )

    def accuracy(self, within: Bool[np.ndarray, " n"] | None = None) -> Measure:
        """The mean share of the items with a verdict, of those within."""
        inside = np.isfinite(self.shares) if within is None else np.isfinite(self.shares) & within
        return mean_of(np.where(inside, self.shares, 0.0), inside)

    def record(
        self, within: Bool[np.ndarray, " n"] | None = None, seed: int = 0, resamples: int = 2000
    ) -> dict[str, Any]:
        """The numbers for `--json`, of all items or of those within; null where nothing was decided.

        `accuracy` is over the `judged` items. A failure is no verdict, so `accuracy_if_failures_wrong` and
        `accuracy_if_failures_right` say how far the failures could move it over all n. The spread is over
        `repeats`: each one's accuracy, their standard deviation, and the share of items that they differ on.
        """
        rows = np.ones(len(self.cases), dtype=bool) if within is None else within
        verdicts = self.verdicts[rows]
        measure = self.accuracy(rows)
        clusters = np.array([case.scene or case.id for case in self.cases])
        (interval,) = bootstrap_intervals([measure], clusters, rng(seed, "judge"), resamples)
        by_repeat = [column[np.isfinite(column)] for column in verdicts.T]
        each = [float(column.mean()) for column in by_repeat if len(column)]
        differ = np.array([len({v for v in row if np.isfinite(v)}) > 1 for row in verdicts])
        silent = [case.silent for case, inside in zip(self.cases, rows, strict=True) if inside]
        bounds = [float(np.where(np.isfinite(verdicts), verdicts, v).mean()) for v in (0.0, 1.0)]
        return {
            "n": int(rows.sum()),
            "judged": measure.n,
            "silent": sum(silent),
            "failures": int(np.isnan(verdicts).sum()),
            "items_without_verdict": int(rows.sum()) - measure.n,
            "accuracy": _finite(measure.value),
            "interval": None if interval is None else list(interval),
            "accuracy_if_failures_wrong": bounds[0] if len(verdicts) else None,
            "accuracy_if_failures_right": bounds[1] if len(verdicts) else None,
            "repeats": verdicts.shape[1],
            "accuracy_by_repeat": each,
            "standard_deviation": float(np.std(each, ddof=1)) if len(each) > 1 else None,
            "items_that_differ": float(differ.mean()) if len(differ) and verdicts.shape[1] > 1 else None,
        }

    def per_item(self) -> list[dict[str, Any]]:
        """For `--per-item`: id, the share of correct verdicts or null, and each repeat's."""
        return [
            {
                "id": case.id,
                "correct": _finite(share),
                "verdicts": [
                    {"value": d.value, "reason": d.reason, **({"failure": d.failure} if d.failure else {})}
                    for d in row
                ],
            }
            for case, share, row in zip(self.cases, self.shares, self.decisions, strict=True)
        ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
