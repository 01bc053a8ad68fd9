"""Poses that recover chooses at test time: by the scores on disk, for both kinds of models alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_workspace import TEXTS, Made

from vantage.align.ego import ego_of_camera
from vantage.core.errors import ContractError
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.evaluation.answers import answer_all
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.poses import RECOVERED, TEST_TIME, Source
from vantage.evaluation.recovered_egos import RecoveredEgos
from vantage.evaluation.recovered_samples import recovered_samples
from vantage.evaluation.situations import Situation, heldout_questions, situations
from vantage.evaluation.stage import list_items, predict, report
from vantage.models.answering import PocketVLM
from vantage.models.config import BaseConfig
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.records.frames import kept_frames
from vantage.records.index import IndexRow
from vantage.records.scan import read_scan
from vantage.records.visibility import Visibility, write_visibility
from vantage.recover.selection import Selection as Strategy
from vantage.recover.selection import choose_pose


class Recorder(PocketVLM):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[np.ndarray, ...]] = []

    def answer(self, images, xyz_ego, valid, questions):  # type: ignore[no-untyped-def]
        self.shown.append((images, xyz_ego, valid, np.array(questions)))
        return ["yes"] * len(questions)


@pytest.fixture
def inputs(made: Made, tmp_path: Path) -> dict[str, Path]:
    """The workspace, with scores by which frame 1 sees the chair (1) best."""
    for scan in made.scans:
        (tmp_path / scan).mkdir()
        scores = np.array([[0.2], [0.6]], np.float32)
        seen = Visibility(np.array([0, 1]), np.array([1]), scores, scores, scores)
        write_visibility(tmp_path / scan, seen)
    return {**made.inputs, "recover": tmp_path}


def asked(inputs: Mapping[str, Path]) -> list[Situation]:
    questions = heldout_questions(inputs["synthesize"])
    return [s for scan, rows in questions.items() for s in situations(inputs, scan, rows)]


@pytest.mark.parametrize("source", list(RECOVERED))
def test_choices_are_those_of_recover(inputs: dict[str, Path], source: str) -> None:
    strategy, leaks = RECOVERED[source]
    egos = RecoveredEgos(inputs, source, 5)
    for situation in asked(inputs):
        scan = situation.questions[0].scan_id
        T, frames = read_scan(inputs["extract"] / scan).T_aligned_raw, kept_frames(inputs["extract"] / scan)
        poses = {frame.frame_id: T @ frame.T_raw_cam for frame in frames}
        scores = np.array([[0.2], [0.6]], np.float32)
        found = Visibility(np.array([0, 1]), np.array([1]), scores, scores, scores).intersections()
        for question in situation.questions:
            selection = Strategy(strategy, seed=5, ids_are_target=leaks)
            ids = [1] if leaks or "chair" in question.question else []
            expected = choose_pose(found, poses, ids, selection, key=question.question_id, world="aligned")
            choice = egos.choice(question)
            assert choice.record() == expected.record()
            assert (choice.uses_target, choice.frame_id) == (leaks, expected.frame_id)
            assert choice.object_id == (1 if ids else None)
            if ids and strategy == "top":
                assert choice.frame_id == 1
            ego = ego_of_camera(poses[expected.frame_id or 0], "aligned", "ego_level")
            np.testing.assert_allclose(egos.ego(question).T_world_ego, ego.T_world_ego, atol=1e-12)


def test_what_the_text_names_decides_and_the_target_only_where_it_is_given(inputs: dict[str, Path]) -> None:
    question = replace(asked(inputs)[0].questions[0], question="where is the piano?", answer="chair")
    free, leaking = (
        RecoveredEgos(inputs, f"recovered_top{end}", 0).choice(question) for end in ("", "_target")
    )
    assert (free.fallback, free.object_id, free.uses_target) == ("no_object", None, False)
    assert (leaking.fallback, leaking.object_id, leaking.uses_target) == ("", 1, True)
    other = replace(question, evidence={"object_ids": [99]})
    assert RecoveredEgos(inputs, "recovered_top", 0).choice(other).record() == free.record()
    assert RecoveredEgos(inputs, "recovered_top_target", 0).choice(other).fallback == "unknown_object"


def test_both_kinds_of_models_are_shown_the_room_from_the_recovered_ego(inputs: dict[str, Path]) -> None:
    recorder, source = Recorder(), "recovered_clip_target"
    said = answer_all(recorder, inputs, source, 3)
    egos = RecoveredEgos(inputs, source, 3)
    samples = QuestionSamples(inputs, Selection("heldout"))
    shown = iter(recorder.shown)
    for index, situation in enumerate(asked(inputs)):
        pieces = recovered_samples(samples, index, None, egos, 3)
        assert [q.question_id for _, (q,) in pieces] == [q.question_id for q in samples.questions(index)]
        by_id = {q.question_id: sample for sample, (q,) in pieces}
        for question in situation.questions:
            images, xyz, valid, texts = next(shown)
            assert texts.tolist() == [question.question]
            assert np.array_equal(images, situation.images)
            assert np.array_equal(valid, situation.valid)
            expected = situation.points(egos.ego(question))
            assert np.array_equal(xyz, expected)
            grids = [picture for view in by_id[question.question_id].views for picture in view.pictures or ()]
            points = torch.stack([torch.where(g.valid[..., None], g.xyz, torch.zeros(())) for g in grids])
            np.testing.assert_allclose(points.numpy(), expected, atol=1e-5)
            assert [turn.question for (turn,) in by_id[question.question_id].dialogs] == [question.question]
    assert next(shown, None) is None
    assert len(said) == len(TEXTS) * len(asked(inputs))
    assert [p.question_id for p in said] == sorted(p.question_id for p in said)


def test_they_are_off_unless_asked_for_and_no_control(inputs: dict[str, Path]) -> None:
    arms = ("projector", "embedding")
    assert not [item for item in list_items(EvaluateConfig(), arms) if "recovered" in item]
    on = EvaluateConfig(controls=("blind",), pose_sources=("recovered_top",))
    assert list_items(on, arms) == [*arms, "embedding@blind", "embedding@recovered_top"]
    assert TEST_TIME["recovered_top_target"] == Source("top", True, True)
    shutil.rmtree(inputs["recover"] / "room0000_00")
    question = asked(inputs)[0].questions[0]
    with pytest.raises(ContractError, match="visibility is missing"):
        RecoveredEgos(inputs, "recovered_top", 0).ego(question)


def test_the_report_compares_them_and_the_gate_does_not_count_them(
    made: Made, inputs: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    config = EvaluateConfig(
        base=BaseConfig(str(made.base)),
        resamples=200,
        controls=("blind",),
        pose_sources=("recovered_top_target",),
    )
    rows = []
    for item in list_items(config, ["projector", "embedding"]):
        (out / item).mkdir(parents=True)
        predict(Task(item, inputs, out / item, tmp_path, seed=0), config)
        rows.append(IndexRow(item, "done", digest_tree(out / item)))
    report(Task("evaluate", inputs, out, tmp_path, seed=0), config, rows)
    record = json.loads((out / "report.json").read_text())
    assert record["controls"] == ["embedding@blind"]
    (compared,) = record["pose_sources"]
    sources = [(row["name"], row["uses_target"], row["at_test"]) for row in compared["scores"]]
    assert sources == [("recorded_frame", False, False), ("top", True, True)]
    assert compared["gaps"][0]["same_questions"]
    assert "top, knows the target, at test" in (out / "report.md").read_text()
