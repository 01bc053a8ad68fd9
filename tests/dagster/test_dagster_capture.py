"""The check `capture` of extract: a table of what was found, blocking where a scan is something else."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_project.checks import capture_check
from dagster_project.resources import DvcWorkspace

from vantage.pipeline.graph import Stage, load_pipeline
from vantage.records.capture import CAPTURE_FILE, Capture, write_capture
from vantage.records.index import IndexRow, write_index

REPOSITORY = Path(__file__).resolve().parents[2]
FITS = Capture("fits", "as claimed", 0.98, 4, 2000)
UNSEEN = Capture("not_measured", "no two frames share surface", 0.0, 0, 0)
OTHER = Capture("other", "world_to_camera | opencv", 0.97, 4, 2000, {"poses": "world_to_camera"})


@pytest.fixture
def stage() -> Stage:
    return next(s for s in load_pipeline(REPOSITORY).stages if s.name == "extract")


def checked(root: Path, stage: Stage, captures: dict[str, Capture]) -> dg.AssetCheckResult:
    out = root / stage.out
    for name, capture in captures.items():
        (out / name).mkdir(parents=True)
        write_capture(out / name, capture)
    write_index(out, [IndexRow(name, "done", "0") for name in captures])
    return again(root, stage)


def again(root: Path, stage: Stage) -> dg.AssetCheckResult:
    result = capture_check(stage)(workspace=DvcWorkspace(root=str(root)))
    assert isinstance(result, dg.AssetCheckResult)
    return result


def values(result: dg.AssetCheckResult) -> dict[str, object]:
    return {name: value.value for name, value in (result.metadata or {}).items()}


def test_scans_that_fit_or_cannot_be_measured_pass(tmp_path: Path, stage: Stage) -> None:
    result = checked(tmp_path, stage, {"room0": FITS, "room1": UNSEEN})
    assert result.passed
    shown = values(result)
    assert (shown["scans"], shown["measured"], shown["wrong"]) == (2, 1, 0)
    assert shown["lowest_share"] == 0.98
    assert "| room1 | not_measured | 0.00 | 0 |" in str(shown["shares"])


def test_a_scan_that_is_something_else_blocks_and_is_named_first(tmp_path: Path, stage: Stage) -> None:
    result = checked(tmp_path, stage, {"room0": FITS, "room1": OTHER})
    assert not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
    rows = str(values(result)["shares"]).splitlines()[2:]
    assert rows[0] == "| room1 | other | 0.97 | 4 | world_to_camera \\| opencv |"


def test_an_output_without_records_blocks(tmp_path: Path, stage: Stage) -> None:
    checked(tmp_path, stage, {"room0": FITS})
    (tmp_path / stage.out / "room0" / CAPTURE_FILE).unlink()
    result = again(tmp_path, stage)
    assert not result.passed and "capture record is missing" in str(result.description)
