"""`vantage score`: predictions and official references in, every published variant of the score out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core import atomic
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS

if TYPE_CHECKING:
    from rich.console import Console

    from vantage.evaluation.scoring import Scored

RESAMPLES = 2000


def score(
    benchmark: str,
    predictions: Path,
    references: Path,
    variant: str | None,
    scans: Path | None,
    subset: str | None,
    per_item: Path | None,
    as_json: bool,
    against: Path | None = None,
) -> None:
    """Print the scores of a file of predictions; tell what was missing, empty or unreadable.

    Args:
        benchmark: its name.
        predictions: JSON lines, or the benchmark's upload format.
        references: the official file.
        variant: only this one.
        scans: folder of scans, for benchmarks whose boxes are not in the references.
        subset: score also the items of this subset, and the others, apart.
        per_item: write each item's values there, JSON lines.
        as_json: print one object instead of a table.
        against: another file of predictions: print the paired differences to it.

    Raises:
        ParameterError: an unknown name, or a file that is not there.
        ResourceError: a comparison where SciPy is not installed.
        ContractError: a file that breaks its format; file and line are named.
    """
    from vantage.evaluation import scoring

    rule = BENCHMARKS.get(benchmark)
    if per_item is not None and (per_item.is_dir() or not per_item.parent.is_dir()):
        raise ParameterError(
            "cannot write there", where="--per-item", expected="a file in a folder", found=per_item
        )
    scored = scoring.score(rule, predictions, references, variant, scans, subset)
    other = None if against is None else scoring.score(rule, against, references, variant, scans, subset)
    if per_item is not None:
        lines = (json.dumps(row, ensure_ascii=False) for row in _rows(scored, other))
        atomic.write_text(per_item, "".join(line + "\n" for line in lines))
    for path, some in ((predictions, scored), (against, other)):
        if some is not None and some.missing:
            where = "" if other is None else f"{path}: "
            told = f"{some.missing} of {len(some.items)} items have no prediction and count as wrong"
            sys.stderr.write(f"{where}{told}\n")
    for name, lack in scored.lacking.items():
        sys.stderr.write(f"{name} is not reported; it needs {lack}\n")
    if other is not None:
        from vantage.cli.score_against import show

        show(rule, scored, other, as_json, RESAMPLES)
    elif as_json:
        sys.stdout.write(json.dumps(scored.record(), indent=2) + "\n")
    else:
        _print(scored, rule)


def _rows(scored: Scored, other: Scored | None) -> list[dict[str, Any]]:
    """Each item's values, and those of the other file under names that begin with `against.`."""
    rows = scored.per_item()
    for row, theirs in zip(rows, other.per_item() if other else [], strict=False):
        row |= {f"against.{name}": value for name, value in theirs.items() if name != "id"}
    if other is not None:
        from vantage.evaluation.against import changed

        ids = set(changed(scored, other))
        rows = [{**row, "changed": row["id"] in ids} for row in rows]
    return rows


def _print(scored: Scored, rule: Any) -> None:
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else 110, highlight=False)
    n = len(scored.items)
    split = next((f" (as many as {name})" for name, size in rule.splits.items() if size == n), "")
    scenes = len({item.scene for item in scored.items if item.scene})
    drawn = f"{scenes} scenes" if scenes else f"{n} items"
    console.print(f"{rule.name}: {rule.about}", markup=False)
    odd = f"{scored.missing} without prediction, {scored.empty} empty, {scored.unparsed} unparsed"
    console.print(f"{n} items{split}, {odd}")
    _print_variants(console, scored, rule)
    for part, found in scored.parts.items():
        console.print(f"\n=== {part}: {len(found.items)} of {n} items")
        _print_variants(console, found, rule)
    console.print(f"\nshares of 1; intervals: bootstrap over {drawn}, {RESAMPLES} draws", markup=False)


def _print_variants(console: Console, scored: Scored, rule: Any) -> None:
    from rich.table import Table

    intervals = scored.intervals(0, RESAMPLES)
    for name, measures in scored.variants.items():
        table = Table(box=None, pad_edge=False)
        for heading in ("metric", "value", "95 %", "n"):
            table.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
        for metric, measure in measures.items():
            table.add_row(metric, _number(measure.value), _interval(intervals[name][metric]), str(measure.n))
        console.print(f"\n{name}: {rule.variants[name].summary}", markup=False)
        console.print(table)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
