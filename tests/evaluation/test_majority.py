"""The majority control: what the training split says most, per family, whatever is held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_workspace import Made

from vantage.core.errors import ContractError
from vantage.core.tasks import Task
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.majority import majority_answers
from vantage.evaluation.stage import predict
from vantage.evaluation.table import commonest
from vantage.records.index import IndexRow, write_index
from vantage.records.predictions import read_predictions
from vantage.records.questions import read_questions, write_questions


def split(made: Made, folder: Path, answers: dict[str, list[str]]) -> Path:
    """A scan of training questions with these answers by family, and one of held-out questions."""
    held = read_questions(made.inputs["synthesize"] / made.scans[0])
    like = {q.family: q for q in held}
    train = [
        replace(like[family], question_id=f"t-{family}-{i}", split="train", answer=answer)
        for family, given in answers.items()
        for i, answer in enumerate(given)
    ]
    for name, questions in (("held", held), ("train", train)):
        (folder / name).mkdir(parents=True)
        write_questions(folder / name, questions)
    write_index(folder, [IndexRow(name, "done", "0" * 64) for name in ("held", "train")])
    return folder


def test_each_family_gets_its_commonest_training_answer(made: Made, tmp_path: Path) -> None:
    given = {"direction": ["back-left", "front-left", "front-left"], "exist": ["yes", "no"]}
    said = majority_answers(split(made, tmp_path / "questions", given))
    by_family = {p.family: p.prediction for p in said}
    assert by_family == {"direction": "front-left", "exist": "no", "nearest_to": ""}
    ids = [p.question_id for p in said]
    assert ids == sorted(ids) and len(ids) == 4
    right = {p.question_id[-1]: p.prediction == p.answer for p in said if p.family == "direction"}
    assert right == {"0": False, "1": True}, "the held-out majority plays no part"


def test_the_stage_needs_no_model_for_it(made: Made, tmp_path: Path) -> None:
    questions = split(made, tmp_path / "questions", {"exist": ["yes"]})
    out = tmp_path / "out"
    out.mkdir()
    task = Task("embedding@majority", {"synthesize": questions}, out, tmp_path, seed=0)
    assert predict(task, EvaluateConfig())["questions"] == 4
    assert [p.prediction for p in read_predictions(out) if p.family == "exist"] == ["yes"]


def test_ties_go_by_name_and_nothing_held_out_is_an_error(tmp_path: Path) -> None:
    assert commonest(["yes", "no"]) == "no"
    (tmp_path / "index.jsonl").write_text("")
    with pytest.raises(ContractError, match="held out"):
        majority_answers(tmp_path)
