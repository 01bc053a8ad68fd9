"""The part of a report's page that says which differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vantage.evaluation.significance import ALPHA, POWER, Comparison
from vantage.evaluation.table import Group

_WHAT = (
    "McNemar's exact test on the same questions, two-sided, from those that only one of the two answered\n"
    "right. *p (Holm)* is corrected over the rows of its table. *detectable* is the smallest true\n"
    f"difference, in points, that so many questions find with a power of {POWER} at {ALPHA}. The test takes\n"
    "questions as independent, which those of one room are not: read it beside the interval over rooms.\n"
)


def comparisons(groups: Sequence[Group], arm: str, baseline: str, headline: Mapping[str, Comparison]) -> str:
    """Tables of an arm against the baseline on every group, and against every item on the headline group."""
    tested = {g.name: g.tests[arm] for g in groups if arm in g.tests}
    parts = ["## More than chance?\n", _WHAT]
    if tested:
        parts += [f"`{arm}` against `{baseline}`:\n", _table("questions", arm, tested)]
    if headline:
        items = {f"`{item}`": test for item, test in headline.items()}
        parts += [f"`{arm}` against each other, {groups[0].name}:\n", _table("against", arm, items)]
    return "\n".join(parts) if tested or headline else ""


def _table(first: str, arm: str, tests: Mapping[str, Comparison]) -> str:
    head = [first, "n", f"only `{arm}` right", "only the other", "p", "p (Holm)", "detectable"]
    return table(head, [[name, *_cells(test)] for name, test in tests.items()])


def _cells(test: Comparison) -> list[str]:
    counts = [str(test.n), str(test.ours_only), str(test.theirs_only)]
    return [*counts, _p(test.p), _p(test.p_holm), detectable(test)]


def detectable(test: Comparison) -> str:
    """Points, or that no difference could be found."""
    found = test.detectable_points
    return "none: too few" if found is None else f"{found:.1f}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of a page: the first column left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
