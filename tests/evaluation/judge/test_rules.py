"""The rule judge on answers that people agree about."""

from __future__ import annotations

import pytest

from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.rules import judge_by_rule


def answer(said: str | None, *references: str, question: str = "What is it?", situation: str = "") -> bool:
    decision = judge_by_rule(Case("q", "s", question, situation, references, said))
    assert decision.value is not None and decision.reason and not decision.failure
    return decision.value


@pytest.mark.parametrize(
    ("said", "references"),
    [
        ("chair", ("chair",)),
        ("It is a Chair.", ("chair",)),
        ("two chairs", ("2 chairs",)),
        ("There are 2.", ("two",)),
        ("shelves", ("shelf",)),
        ("a table made of brown wood", ("brown wood table",)),
        ("a lamp", ("bed", "lamp")),
        ("no, it is not", ("no",)),
        ("yes it is", ("yes",)),
        ("a bright lamp", ("lamp",)),
        ("unknown", ("unknown",)),
    ],
)
def test_correct(said: str, references: tuple[str, ...]) -> None:
    assert answer(said, *references)


@pytest.mark.parametrize(
    ("said", "references"),
    [
        ("", ("chair",)),
        ("   ", ("chair",)),
        (None, ("chair",)),
        ("armchair", ("chair",)),
        ("chair", ("brown chair",)),
        ("3", ("2",)),
        ("2 or 3", ("2",)),
        ("left or right", ("left",)),
        ("right", ("left",)),
        ("yes and no", ("yes",)),
        ("not a chair", ("chair",)),
        ("I don't know, maybe a chair", ("chair",)),
        ("I don\u2019t know, maybe a chair", ("chair",)),
        ("the", ("a chair",)),
        ("bright", ("right",)),
    ],
)
def test_incorrect(said: str | None, references: tuple[str, ...]) -> None:
    assert not answer(said, *references)


def test_what_the_question_says_need_not_be_repeated() -> None:
    question = "What color is the chair by the bed?"
    assert answer("brown", "brown chair", question=question)
    assert not answer("chair", "brown chair", question=question)
    assert answer("left", "left", question="Is the bed on my left or right?")
    assert not answer("right", "left", question="Is the bed on my left or right?")


CAPTIONS = ("the brown chair is left of the table", "a brown wooden chair, it is near the door")


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("this is a brown chair left of the table", True),
        ("a wooden chair near the door", True),
        ("a table near the door", False),
        ("a white chair near the door", False),
        ("a brown chair right of the table", False),
        ("a chair under seven huge bright windows of another hall", False),
        ("", False),
        ("the of a", False),
    ],
)
def test_captions(said: str, right: bool) -> None:
    decision = judge_by_rule(Case("c", "s", "", "", CAPTIONS, said))
    assert decision.value is right and decision.reason


def test_swapping_left_and_right_everywhere_changes_no_verdict() -> None:
    swap = {"left": "right", "right": "left"}

    def mirrored(text: str) -> str:
        return " ".join(swap.get(word, word) for word in text.split())

    for said in ("on the left", "to the right of the bed", "left of the chair", "behind"):
        for reference in ("left", "right of the bed", "behind", "left"):
            assert answer(said, reference) == answer(mirrored(said), mirrored(reference))
