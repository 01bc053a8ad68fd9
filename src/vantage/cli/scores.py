"""The last evaluation as a table for a terminal: the arms side by side, and the controls of the headline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vantage.evaluation.significance import shown_p
from vantage.pipeline.graph import load_pipeline
from vantage.pipeline.workspace import find_workspace
from vantage.records.jsonfile import read_json_record


def scores(folder: Path | None) -> None:
    """Print the scores of the last evaluation and where its pictures lie.

    Args:
        folder: the workspace; default: here or above.

    Raises:
        ContractError: there is no report yet.
    """
    from rich.console import Console
    from rich.table import Table

    workspace = find_workspace(folder)
    reports = workspace.root / load_pipeline(workspace.root).stage("evaluate").out
    report = read_json_record(reports / "report.json", "evaluation", 1)
    arms = report["arms"]
    table = Table(
        title="Strict exact match on held-out rooms, per cent [95 % interval]", title_justify="left"
    )
    table.add_column("questions", no_wrap=True)
    table.add_column("n", justify="right")
    for arm in arms:
        table.add_column(arm, justify="right", no_wrap=True)
    for group in report["groups"]:
        cells = [_score(group["items"][arm]) for arm in arms]
        table.add_row(_name(group), str(group["n"]), *cells)
    console = Console(width=None if Console().is_terminal else 110)
    console.print(table)
    for line in _headline(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"pictures: {reports / 'scores.png'}, {reports / 'example.png'}", soft_wrap=True)
    console.print(f"all of it: {reports / 'report.html'}, {reports / 'report.md'}", soft_wrap=True)


def _name(group: dict[str, Any]) -> str:
    part = f" ({group['slice']})" if group["slice"] else ""
    return f"{group['family']}{part}" + ("" if group["learnable"] else " *")


def _score(item: dict[str, Any]) -> str:
    exact = item["exact"]
    return f"{exact['percent']:.1f} [{exact['low']:.0f}, {exact['high']:.0f}]"


def _headline(report: dict[str, Any]) -> list[str]:
    head, first = report["headline"], report["groups"][0]
    gain = first["gains"][head["arm"]]
    lines = ["* not learnable by the pocket model: expect chance"]
    lines.append(
        f"headline, {_name(first)}: {head['arm']} gains {gain['points']:+.1f} points "
        f"[{gain['low']:+.1f}, {gain['high']:+.1f}] over {head['baseline']} ({gain['n']} questions, "
        f"{gain['rooms']} rooms)"
    )
    tests = report["headline_tests"]
    if head["baseline"] in tests:
        test = tests[head["baseline"]]
        points = test["detectable_points"]
        seen = "no difference" if points is None else f"differences from {points:.1f} points on"
        lines.append(f"  McNemar, Holm: {shown_p(test['p_holm'])}; so many questions show {seen}")
    lines += [
        f"  at test time, {c}: {_score(first['items'][c])}, {shown_p(tests[c]['p_holm'])}"
        for c in report["controls"]
    ]
    return lines
