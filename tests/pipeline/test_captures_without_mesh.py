"""From posed frames without a mesh to questions, by commands: masks, boxes, and neither."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from meshless import write_capture, write_masks, write_true_boxes
from vantage.core.hashing import digest_tree
from vantage.records.objects import read_objects, read_points
from vantage.records.patches import read_patches
from vantage.records.questions import read_questions
from vantage.records.visibility import read_visibility
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = GeneratedConfig(
    frames_per_scan=10, color_width=160, color_height=120, depth_width=128, depth_height=96
)
MASKED, BOXED, BARE = SCANS = ("room0000_00", "room0001_00", "room0002_00")


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    for scan_id in SCANS:
        scan = generate_scan(scan_id, 0, CONFIG)
        capture = write_capture(scan, folder / scan_id)
        if scan_id == MASKED:
            write_masks(scan, capture)
        if scan_id == BOXED:
            write_true_boxes(scan, capture)
    return folder


def a_workspace(root: Path, captures: Path) -> tiny.Tiny:
    workspace = tiny.make(root)
    workspace.set("download.source", "folder")
    workspace.set("download.folder.path", str(captures))
    workspace.set("lift.depth.source", "cloud")
    return workspace


def test_questions_from_captures_without_a_mesh(captures: Path, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "one", captures)
    said = {}
    for stage in tiny.STAGES[:5]:
        said[stage] = workspace.vantage("run", stage, workers=2).stderr
        assert {row.status for row in workspace.rows(stage).values()} == {"done"}, said[stage]
    for scan_id in (MASKED, BOXED):
        points, objects = (read(workspace.out("extract") / scan_id) for read in (read_points, read_objects))
        assert len(points.coord) > 10_000 and len(objects) > 5
        assert set(np.unique(points.instance).tolist()) - {-1} <= {item.object_id for item in objects}
        assert read_patches(workspace.out("lift") / scan_id).valid.mean() > 0.9
        visibility = read_visibility(workspace.out("recover") / scan_id)
        assert (visibility.scores.max(axis=0) > 0.3).mean() > 0.5
        questions = read_questions(workspace.out("synthesize") / scan_id)
        assert len(questions) > 20
        assert {"direction", "distance", "exist"} <= {question.family for question in questions}
    assert f"{BARE}: no annotation, no masks and no objects.json" in said["recover"]
    assert len(read_points(workspace.out("extract") / BARE).coord) > 10_000
    assert read_questions(workspace.out("synthesize") / BARE) == []
    summary = json.loads((workspace.out("synthesize") / "summary.json").read_text())
    assert summary

    other = a_workspace(tmp_path / "two", captures)
    for stage in ("download", "extract", "lift", "recover"):
        other.vantage("run", stage, workers=1)
    for stage in ("extract", "lift", "recover"):
        for scan_id in SCANS:
            one, two = (each.out(stage) / scan_id for each in (workspace, other))
            assert digest_tree(one) == digest_tree(two), f"{stage} of {scan_id} depends on the workers"
