"""Contracts over all items of a stage together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dagster_project.tables import broken_rows

from vantage.records.predictions import Prediction, write_predictions
from vantage.records.questions import Question, write_questions


def question(number: int, scan: str, room: str, split: str, answer: str = "left") -> Question:
    return Question(
        question_id=f"{scan}-{number}",
        scan_id=scan,
        room_id=room,
        split=split,
        family="side",
        slice="",
        question="which side of the first view is the red chair on?",
        answer=answer,
        reasoning="",
        evidence={},
        ego_frame_id=0,
        pose_source="recorded_frame",
        pose_uses_target=False,
        T_aligned_ego=np.eye(4),
        views=[0],
        learnable_by_pocket=True,
    )


def write(folder: Path, scan: str, rows: list[Question]) -> None:
    (folder / scan).mkdir()
    write_questions(folder / scan, rows)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    write(tmp_path, "r0_00", [question(0, "r0_00", "r0", "train"), question(1, "r0_00", "r0", "train")])
    write(tmp_path, "r0_01", [question(0, "r0_01", "r0", "train")])
    return tmp_path


def failed(folder: Path, contract: str = "questions") -> set[str]:
    items = sorted(path.name for path in folder.iterdir())
    return {case["check"] for case in broken_rows(contract, folder, items)}


def test_sound_questions_have_no_failure_cases(questions: Path) -> None:
    assert failed(questions) == set()


def test_a_room_in_two_splits_is_found(questions: Path) -> None:
    write(questions, "r0_02", [question(0, "r0_02", "r0", "heldout")])
    assert failed(questions) == {"a room is in one split"}


def test_a_question_twice_is_found(questions: Path) -> None:
    write(questions, "r1_00", [question(0, "r0_00", "r1", "train")])
    assert failed(questions) == {"field_uniqueness", "each table holds its own scan"}


@pytest.mark.parametrize("answer", ["two words", "", "LEFT"])
def test_an_answer_of_another_form_is_found(questions: Path, answer: str) -> None:
    write(questions, "r2_00", [question(0, "r2_00", "r2", "train", answer)])
    assert any("str_matches" in check for check in failed(questions))


def predicted(folder: Path, arm: str, numbers: range) -> None:
    (folder / arm).mkdir()
    rows = [Prediction(f"q{n}", "s", "r", "side", "", "which?", "left", "right") for n in numbers]
    write_predictions(folder / arm, rows)


def test_arms_that_answer_other_questions_are_found(tmp_path: Path) -> None:
    predicted(tmp_path, "plain", range(3))
    predicted(tmp_path, "embedding", range(3))
    assert failed(tmp_path, "predictions") == set()
    predicted(tmp_path, "random_yaw", range(2))
    assert failed(tmp_path, "predictions") == {"every arm answers the same questions"}


def test_a_contract_without_a_table_has_nothing_to_break(tmp_path: Path) -> None:
    assert broken_rows("files", tmp_path, ["x"]) == []
