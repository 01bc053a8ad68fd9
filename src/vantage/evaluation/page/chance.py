"""The part of a report that says which differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping

from vantage.evaluation.page.sections import Section, Table
from vantage.evaluation.report import Evaluation
from vantage.evaluation.significance import ALPHA, POWER, Comparison

_WHAT = (
    "McNemar's exact test on the same questions, two-sided, from those that only one of the two answered\n"
    "right. *p (Holm)* is corrected over the rows of its table. *detectable* is the smallest true\n"
    f"difference, in points, that so many questions find with a power of {POWER} at {ALPHA}. The test takes\n"
    "questions as independent, which those of one room are not: read it beside the interval over rooms."
)


def chance_sections(evaluation: Evaluation) -> list[Section]:
    """Tables of the arm against the baseline on every group, and against every item on the headline group."""
    arm, groups = evaluation.arm, evaluation.groups
    tested = {g.name: g.tests[arm] for g in groups if arm in g.tests}
    body: list[str | Table] = [_WHAT]
    if tested:
        body += [f"`{arm}` against `{evaluation.baseline}`:", _table("questions", arm, tested)]
    if evaluation.tests:
        items = {f"`{item}`": test for item, test in evaluation.tests.items()}
        body += [f"`{arm}` against each other, {groups[0].name}:", _table("against", arm, items)]
    return [Section("More than chance?", body)] if tested or evaluation.tests else []


def _table(first: str, arm: str, tests: Mapping[str, Comparison]) -> Table:
    head = [first, "n", f"only `{arm}` right", "only the other", "p", "p (Holm)", "detectable"]
    return Table(head, [[name, *_cells(test)] for name, test in tests.items()])


def _cells(test: Comparison) -> list[str]:
    counts = [str(test.n), str(test.ours_only), str(test.theirs_only)]
    return [*counts, p_cell(test.p), p_cell(test.p_holm), detectable(test)]


def detectable(test: Comparison) -> str:
    """Points, or that no difference could be found."""
    found = test.detectable_points
    return "none: too few" if found is None else f"{found:.1f}"


def p_cell(p: float) -> str:
    """`< 0.001` or `0.012`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
