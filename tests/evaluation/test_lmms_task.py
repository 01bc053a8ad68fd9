"""The scores and pictures of a task folder, by the module that goes into it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from score_files import scored, values, write

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.lmms_task import QUESTIONS, Task

GIVEN = [
    {"scene_id": f"scene{k:04d}_00", "question_id": f"q{k}", "question": question, "answers": ["red", "two"]}
    for k, question in enumerate(["What color is it?", "How many are there?", "Where is it?"])
]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Three questions, the last of which cannot be asked."""
    folder = tmp_path / "task"
    write(folder / "references.json", GIVEN)
    write(folder / QUESTIONS, [{"question_id": row["question_id"]} for row in GIVEN[:2]])
    return Task(folder, BENCHMARKS.get("scanqa"), "references.json")


def said(**texts: str) -> list[dict[str, str]]:
    return [{"id": name, "text": text} for name, text in texts.items()]


def test_each_set_of_answers_has_its_own_score(task: Task, tmp_path: Path) -> None:
    for texts in ({"q0": "red", "q1": "no"}, {"q0": "no", "q1": "no"}, {"q0": "red", "q1": "two"}):
        rows = [{"question_id": name, "text": text} for name, text in texts.items()]
        wanted = values(scored(tmp_path, "scanqa", rows, GIVEN))
        for variant in ("raw", "captions_ptb"):
            for metric, value in wanted[variant].items():
                assert task.score(said(**texts), variant, metric) == value
    assert wanted["raw"]["em"] == 2 / 3, "the third counts as wrong"


def test_the_last_answer_to_a_question_counts(task: Task) -> None:
    assert task.score([*said(q0="no"), *said(q0="red")], "raw", "em") == 1.0


def test_what_no_question_concerns_has_no_number(task: Task) -> None:
    assert task.score(said(q0="red"), "raw", "em") == 1.0, "of the one that was asked"
    assert math.isnan(task.score(said(q0="red"), "raw", "em.place"))


def test_pictures_are_colour_in_the_order_of_the_question(task: Task) -> None:
    pixels = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3)
    for name, shade in (("a.png", pixels), ("b.png", pixels + 100)):
        Image.fromarray(shade).save(task.folder / name)
    shown = task.visual({"images": ["b.png", "a.png"]})
    assert [image.mode for image in shown] == ["RGB", "RGB"]
    np.testing.assert_array_equal(np.asarray(shown[0])[..., 0], pixels + 100)
    np.testing.assert_array_equal(np.asarray(shown[1])[..., 2], pixels)


def test_a_folder_is_opened_once(task: Task) -> None:
    rule = BENCHMARKS.get("scanqa")
    assert Task.of(task.folder, rule, "references.json") is Task.of(task.folder, rule, "references.json")
