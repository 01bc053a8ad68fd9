"""`vantage doctor`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vantage.cli.checks import Finding, every_check

_MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def doctor(workspace: Path | None) -> None:
    """Print one line for each check, and exit with 1 if one failed."""
    console = Console(soft_wrap=True, highlight=False)
    findings = []
    for finding in every_check((workspace or Path.cwd()).resolve()):
        console.print(line(finding))
        findings.append(finding)
    if any(finding.level == "fail" for finding in findings):
        sys.exit(1)


def line(finding: Finding) -> str:
    """A finding as marked-up text."""
    todo = f"\n       to do: {escape(finding.todo)}" if finding.todo else ""
    return f"{_MARKS[finding.level]} {finding.name:<12} {escape(finding.text)}{todo}"
