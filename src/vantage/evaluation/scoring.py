"""Predictions and references of a benchmark in, scores of every variant out; no model and no workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.core.seeds import rng
from vantage.evaluation.benchmarks.files import load, predicted, require_known, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.metrics.measure import Measure
from vantage.evaluation.statistics import bootstrap_intervals
from vantage.evaluation.subsets import direction_subset, item_texts


@dataclass(frozen=True)
class Scored:
    """The scores of one file of predictions.

    Attributes:
        items: the references, in their file's order.
        missing, empty, unparsed: items without prediction, with one of white space, with one that the
            benchmark's own parser cannot read. All count in every denominator.
        variants: measures by variant and metric.
        lacking: variants that are not reported, and what would have to be installed.
        parts: the same for the items of a subset (`direction`) and for the rest (`complement`), each scored
            as if it were a file of its own; items that no judge could decide on are in neither.
    """

    items: Sequence[Item[Any]]
    missing: int
    empty: int
    unparsed: int
    variants: Mapping[str, Mapping[str, Measure]]
    lacking: Mapping[str, str]
    parts: Mapping[str, Scored] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """For `--json`: n, missing, unparsed, empty, variants; null where nothing could be measured."""
        variants = {
            name: {metric: _finite(measure.value) for metric, measure in measures.items()}
            for name, measures in self.variants.items()
        }
        counts = {"missing": self.missing, "unparsed": self.unparsed, "empty": self.empty}
        parts = {"subsets": {name: part.record() for name, part in self.parts.items()}} if self.parts else {}
        return {"n": len(self.items), **counts, "variants": variants, **parts}

    def per_item(self) -> list[dict[str, Any]]:
        """For `--per-item`: each item's id and values, `VARIANT.METRIC`; null where it is not concerned."""
        columns = {
            f"{name}.{metric}": measure.per_item
            for name, measures in self.variants.items()
            for metric, measure in measures.items()
            if measure.per_item is not None
        }
        return [
            {"id": item.id, **{name: _finite(values[i]) for name, values in columns.items()}}
            for i, item in enumerate(self.items)
        ]

    def intervals(self, seed: int, resamples: int) -> dict[str, dict[str, tuple[float, float] | None]]:
        """The 95 % interval of each measure, by variant and metric; scenes are drawn where they are known."""
        ids = [item.scene or item.id for item in self.items]
        pairs = [(name, metric) for name, measures in self.variants.items() for metric in measures]
        measures = [self.variants[name][metric] for name, metric in pairs]
        found = bootstrap_intervals(measures, np.array(ids), rng(seed, "score"), resamples)
        table: dict[str, dict[str, tuple[float, float] | None]] = {name: {} for name in self.variants}
        for (name, metric), interval in zip(pairs, found, strict=True):
            table[name][metric] = interval
        return table


def score(
    benchmark: Benchmark[Any, Any],
    predictions: Path,
    references: Path,
    variant: str | None = None,
    scans: Path | None = None,
    subset: str | None = None,
) -> Scored:
    """Score a file of predictions under every variant, or one; with a subset, also its items and the others.

    Raises:
        ParameterError: no such file or variant.
        ResourceError: the variant asked for needs something that is not installed.
        ContractError: a file breaks its format, an id comes twice or is unknown.
    """
    chosen = dict(benchmark.variants) if variant is None else {variant: _variant(benchmark, variant)}
    lacking = {name: lack for name, rule in chosen.items() if (lack := rule.lacks()) is not None}
    if variant in lacking:
        raise ResourceError(f"{variant} cannot be reported here", expected=lacking[variant])
    items = benchmark.references(references, scans)
    if not items:
        raise ContractError("there is nothing to score", where=references, found="no item")
    said = read_predictions(benchmark, predictions, items)
    given = [said.get(item.id) for item in items]
    rules = {name: rule for name, rule in chosen.items() if name not in lacking}
    whole = replace(_scored(benchmark, rules, items, given), lacking=lacking)
    if subset is None:
        return whole
    parts = {}
    inside, outside = direction_subset(subset, [item.id for item in items], item_texts(items))
    for name, mask in (("direction", inside), ("complement", outside)):
        rows = np.flatnonzero(mask)
        parts[name] = _scored(benchmark, rules, [items[i] for i in rows], [given[i] for i in rows])
    return replace(whole, parts=parts)


def _scored(
    benchmark: Benchmark[Any, Any],
    rules: Mapping[str, Any],
    items: Sequence[Item[Any]],
    given: Sequence[Any],
) -> Scored:
    states = [
        "missing" if reply is None else benchmark.state(item.content, reply)
        for item, reply in zip(items, given, strict=True)
    ]
    return Scored(
        items=items,
        missing=states.count("missing"),
        empty=states.count("empty"),
        unparsed=states.count("unparsed"),
        variants={name: rule.score(items, given) for name, rule in rules.items()} if items else {},
        lacking={},
    )


def read_predictions(
    benchmark: Benchmark[Any, Any], path: Path, items: Sequence[Item[Any]]
) -> dict[str, Any]:
    """Predictions by item id; `ContractError` naming file and line for an unknown id or one given twice."""
    value = load(path)
    if benchmark.upload is not None:
        given = benchmark.upload(path, value, items)
        if given is not None:
            return dict(given)
    rows = predicted(path, value, benchmark.name)
    found = unique(rows, benchmark.key)
    require_known(found, [item.id for item in items])
    return {name: benchmark.prediction(row) for name, row in found.items()}


def _variant(benchmark: Benchmark[Any, Any], name: str) -> Any:
    if name not in benchmark.variants:
        raise ParameterError(
            f"{benchmark.name} has no variant {name!r}",
            where="--variant",
            expected=f"one of {', '.join(benchmark.variants)}",
        )
    return benchmark.variants[name]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
