"""Poses chosen for the objects asked about, from scans to the report."""

from __future__ import annotations

import json

import pytest
from tiny import Tiny

from vantage.records.questions import Question, read_questions
from vantage.records.visibility import read_visibility

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def questions_of(workspace: Tiny) -> list[Question]:
    return [
        q for scan in workspace.rows("synthesize") for q in read_questions(workspace.out("synthesize") / scan)
    ]


def test_top_poses_from_scans_to_the_report(copied: Tiny) -> None:
    copied.set("synthesize.pose.source", "top")
    copied.set("synthesize.must_see", True)
    copied.dvc("repro", "evaluate")
    assert {row.status for row in copied.rows("synthesize").values()} == {"done"}
    questions = questions_of(copied)
    about = [q for q in questions if q.pose_uses_target]
    assert 0 < len(about) < len(questions)
    for q in about:
        seen = read_visibility(copied.out("recover") / q.scan_id)
        column = seen.scores[:, seen.object_ids.tolist().index(q.pose_object_id)]
        assert (q.pose_source, q.pose_rank) == ("top", 0)
        assert q.pose_score == pytest.approx(float(column.max()))
        assert q.ego_frame_id == seen.frame_ids[int(column.argmax())]
    report = json.loads((copied.out("evaluate") / "report.json").read_text())
    held_out = [q for q in questions if q.split == "heldout"]
    leaked = sum(q.pose_uses_target for q in held_out)
    assert (report["poses"]["uses_target"], report["split"]["questions"]) == (leaked, len(held_out))
    sizes = {kind: sum(g["n"] for g in groups) for kind, groups in report["poses"]["groups"].items()}
    assert sizes == {"target_pose": leaked, "free_pose": len(held_out) - leaked}
    assert f"The pose of {leaked} of {len(held_out)}" in (copied.out("evaluate") / "report.md").read_text()
