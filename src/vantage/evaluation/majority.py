"""The control that looks at nothing: each family's commonest answer of the training split."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from vantage.evaluation.answers import as_prediction
from vantage.evaluation.situations import heldout_questions
from vantage.evaluation.table import commonest
from vantage.records.index import done_items
from vantage.records.predictions import Prediction
from vantage.records.questions import read_questions

CONTROL = "majority"


def majority_answers(synthesize: Path) -> list[Prediction]:
    """The answer to every held-out question, sorted by question id.

    A family that no training question belongs to gets the empty answer, which is never right.

    Args:
        synthesize: output folder of that stage.

    Raises:
        ContractError: no question is held out.
    """
    learned: dict[str, list[str]] = defaultdict(list)
    for scan in done_items(synthesize):
        for question in read_questions(synthesize / scan):
            if question.split == "train":
                learned[question.family].append(question.answer)
    answer = {family: commonest(answers) for family, answers in learned.items()}
    asked = [q for rows in heldout_questions(synthesize).values() for q in rows]
    said = [as_prediction(q, answer.get(q.family, "")) for q in asked]
    return sorted(said, key=lambda p: p.question_id)
