"""Dagster and DVC in one environment: both of these break silently when a dependency line goes."""

from __future__ import annotations

import pytest
from tiny import Tiny


def test_dagster_parses_a_selection_in_text() -> None:
    import dagster as dg

    selection = dg.AssetSelection.from_string("+a")
    assert selection == dg.AssetSelection.assets("a").upstream(depth=1)


@pytest.mark.slow
def test_dvc_runs_an_experiment_with_a_changed_parameter(copied: Tiny) -> None:
    copied.command("git", "add", "-A")
    copied.command("git", "commit", "-qm", "finished")
    done = copied.dvc("exp", "run", "-S", "lift.views=3", "lift")
    assert "Running stage 'lift'" in done.stdout
    assert "views: 3" in (copied.root / "params.yaml").read_text()
