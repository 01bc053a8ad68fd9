"""`fresh`, `stale`, `missing` and `unknown`, with the reason."""

from __future__ import annotations

import shutil

import small_stages
from small_workspace import Small

from vantage.pipeline.freshness import StageStatus, pipeline_status


def states(small: Small) -> dict[str, StageStatus]:
    return {state.stage.name: state for state in pipeline_status(small.workspace, small_stages.TABLE)}


def short(small: Small) -> dict[str, tuple[str, str]]:
    return {name: (state.state, state.why) for name, state in states(small).items()}


def test_a_workspace_from_empty_to_fresh_and_back(small: Small) -> None:
    waiting = ("missing", "the output of stage make is missing")
    assert short(small)["make"] == ("missing", "never run here")
    assert short(small)["double"] == waiting
    assert states(small)["make"].pending == 4
    assert states(small)["double"].pending is None

    small.run("make", "double", "total")
    assert {state for state, _ in short(small).values()} == {"fresh"}
    assert states(small)["double"].done == 4
    assert states(small)["double"].ended

    small.params(double={"factor": 3})
    assert short(small)["double"] == ("stale", "parameters changed: factor")
    assert short(small)["total"] == ("stale", "waits for double")
    assert states(small)["double"].pending == 4

    small.run("double")
    assert short(small)["total"] == ("stale", "input changed: double")
    small.params()
    small.run("double")
    assert {state for state, _ in short(small).values()} == {"fresh"}, "going back is fresh at once"


def test_more_scans_another_seed_and_a_lost_record(small: Small) -> None:
    small.run("make")
    small.params(make={"count": 5})
    assert states(small)["make"].state == "stale"
    assert states(small)["make"].pending == 1
    small.params()
    (small.root / "params.yaml").write_text("seed: 1\n")
    assert short(small)["make"] == ("stale", "seed or source changed")
    small.params()
    shutil.rmtree(small.root / ".vantage/provenance")
    assert states(small)["make"].state == "unknown"


def test_scans_set_aside_are_counted(small: Small) -> None:
    small.params(make={"bad": ["scan0"]}, contracts={"max_set_aside_share": 0.5})
    small.run("make")
    found = states(small)["make"]
    assert (found.state, found.done, found.set_aside, found.pending) == ("fresh", 3, 1, 0)
