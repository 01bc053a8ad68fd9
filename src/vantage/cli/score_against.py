"""`vantage score --against`: two files of predictions on the same items, and their differences."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vantage.core.errors import ResourceError
from vantage.evaluation.against import Difference, Key, changed, differences, record

if TYPE_CHECKING:
    from rich.console import Console

    from vantage.evaluation.scoring import Scored

_HEADINGS = ("metric", "ours", "theirs", "ours - theirs", "95 %", "n", "only ours", "only theirs")
_NOTE = (
    "shares of 1; intervals: paired bootstrap, {resamples} draws; p: McNemar, exact, two-sided, where items "
    "are right or wrong; Holm over all {tests} tests; detectable: at 0.05 with a power of 0.8"
)
_LISTED = 10
_TESTED = ("p", "p (Holm)", "detectable")


def show(rule: Any, ours: Scored, theirs: Scored, as_json: bool, resamples: int) -> None:
    """Print every measure of both files, or one object: the first file's record and `against`, `differences`.

    Raises:
        ResourceError: SciPy, which the exact tests need, is not installed.
    """
    if find_spec("scipy") is None:
        raise ResourceError(
            "exact tests need SciPy", where="--against", expected="scipy", hint='pip install "vantage[train]"'
        )
    found, other = differences(ours, theirs, 0, resamples), changed(ours, theirs)
    if as_json:
        told = {**ours.record(), "against": theirs.record(), "changed": other, "differences": record(found)}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        _print(rule, ours, theirs, found, resamples, other)


def _print(
    rule: Any,
    ours: Scored,
    theirs: Scored,
    found: Mapping[Key, Difference],
    resamples: int,
    other: Sequence[str],
) -> None:
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    console.print(f"{rule.name}: {rule.about}", markup=False)
    for name, some in (("ours", ours), ("theirs", theirs)):
        odd = f"{some.missing} without prediction, {some.empty} empty, {some.unparsed} unparsed"
        console.print(f"{name}: {len(some.items)} items, {odd}")
    shown = f": {', '.join(other[:_LISTED])}{', ...' if len(other) > _LISTED else ''}" if other else ""
    console.print(f"answered otherwise: {len(other)} items{shown}", markup=False)
    for part in dict.fromkeys(part for part, _, _ in found):
        if part:
            console.print(f"\n=== {part}: {len(ours.parts[part].items)} of {len(ours.items)} items")
        for variant in dict.fromkeys(v for p, v, _ in found if p == part):
            console.print(f"\n{variant}: {rule.variants[variant].summary}", markup=False)
            _table(console, {m: d for (p, v, m), d in found.items() if (p, v) == (part, variant)})
    tests = sum(difference.test is not None for difference in found.values())
    console.print(f"\n{_NOTE.format(resamples=resamples, tests=tests)}", markup=False)


def _table(console: Console, found: Mapping[str, Difference]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in (*_HEADINGS, *_TESTED):
        table.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
    for metric, difference in found.items():
        table.add_row(metric, *_cells(difference))
    console.print(table)


def _cells(difference: Difference) -> list[str]:
    test = difference.test
    interval = "-"
    if difference.interval is not None:
        interval = f"{difference.interval[0]:+.4f} to {difference.interval[1]:+.4f}"
    values = [_number(difference.ours), _number(difference.theirs), _number(difference.difference, "+")]
    counts = ["-", "-", "-", "-"]
    if test is not None:
        counts = [str(test.ours_only), str(test.theirs_only), _p(test.p), _p(test.p_holm)]
    least = "-" if difference.detectable is None else f"{difference.detectable:.4f}"
    return [*values, interval, str(difference.n), *counts, least]


def _number(value: float, sign: str = "") -> str:
    return "-" if value != value else f"{value:{sign}.4f}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
