"""Every reader of letters on the replies that tell them apart."""

import pytest

from vantage.evaluation.metrics import choices

OPTIONS = ["a chair", "two tables", "one", "None of the choices provided"]


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"), ("b", "B"), ("(b)", "B"), ("B.", "B"), ("B)", "B"), ("B:", "B"), (" B \n", "B"),
        ("B. two tables", "B"), ("(B) two tables", "B"), ("B) whatever", "B"), ("The answer is B.", "B"),
        ("Answer: (C)", "C"), ("I think (C) is right", "C"), ("two tables", "B"), ("Two tables.", "B"),
        ("", None), ("E", None), ("(A) or (B)?", "A"), ("It may be (A) or (B)", None), ("tables", None),
        ("A chair is to the left", None), ("the answer is one of two", None), ("I see a lamp", None),
    ],
)  # fmt: skip
def test_ours_names_an_option_or_nothing(reply: str, letter: str | None) -> None:
    assert choices.ours(reply, OPTIONS) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("(B)", "B"), ("B", "B"), ("I say B here", "B"), ("(A) no, (C)", "C"), ("B.", "B"),
        ("B. some text", None), ("A)", None), ("a", None), ("", None), ("one", None),
        ("the answer should be two since one is hidden", "C"),  # the option "one" stands in it
        ("I would say it is none of the choices provided", "C"),  # as it does in none
    ],
)  # fmt: skip
def test_muirbench_official(reply: str, letter: str | None) -> None:
    assert choices.muirbench_official(reply, OPTIONS) == letter


def test_the_harnesses_disagree() -> None:
    assert choices.first_token("A. left") == choices.first_token("a") == "A"
    assert choices.first_token("(A)") != "A" and choices.first_token("The answer is A") != "A"
    assert choices.first_token(" A") == ""
    assert choices.first_letter("(A)") == "A" and choices.first_letter("the lamp") == "T"
    assert choices.first_letter("Cabinet") == "C" and choices.first_letter("1") == ""
    assert choices.letter_and_stop("B. text") == choices.letter_and_stop("b") == "B"
    assert choices.letter_and_stop("(A)") == "(A)"
