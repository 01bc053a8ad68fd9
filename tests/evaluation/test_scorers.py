"""Every scorer against the published consequences of its rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ParameterError
from vantage.evaluation.scorers import (
    HEADLINE,
    SCORERS,
    em_clean,
    em_raw,
    em_refined_first_match,
    em_refined_membership_first,
    em_refined_strict,
    refined_first_match,
    refined_membership_first,
    scorer,
    sqa3d_shared_word,
)

WORDS = st.lists(
    st.sampled_from(["chair", "brown", "table", "air", "one", "someone", "no", "north"]), max_size=4
)


def test_raw_neither_lowers_nor_strips() -> None:
    assert em_raw("chair", ["table", "chair"]) == 1
    assert em_raw("Chair", ["chair"]) == em_raw("chair.", ["chair"]) == em_raw("", ["chair"]) == 0


def test_clean_does() -> None:
    assert em_clean("The Chair.", ["chair"]) == 1
    assert em_clean("chairs", ["chair"]) == em_clean("", ["chair"]) == 0


def test_leo_stops_at_the_first_reference_that_matches_in_any_way() -> None:
    references = ["brown chair", "chair"]
    assert refined_first_match("chair", references) == (0, 1)
    assert refined_membership_first("chair", references) == (1, 1)
    assert refined_first_match("chair", references[::-1]) == (1, 1)


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [("air", "chair"), ("one", "someone"), ("one", "stone"), ("even", "uneven"), ("no", "north"),
     ("a", "table"), ("ten", "often"), ("", "anything"), ("椅子", "chair"), ("?!", "chair")],
)  # fmt: skip
def test_the_published_variants_fall_for_substrings_and_the_strict_one_does_not(
    prediction: str, reference: str
) -> None:
    assert (
        em_refined_first_match(prediction, [reference])
        == em_refined_membership_first(prediction, [reference])
        == 1
    )
    assert em_refined_strict(prediction, [reference]) == 0


def test_a_space_that_an_emoji_left_fails_the_exact_half_only() -> None:
    assert (
        refined_first_match("chair 🙂", ["chair"])
        == refined_membership_first("chair 🙂", ["chair"])
        == (0, 1)
    )


def test_strict_takes_whole_words_in_a_row_either_way() -> None:
    assert em_refined_strict("the brown chair", ["chair"]) == 1
    assert em_refined_strict("chair", ["a brown chair"]) == 1
    assert em_refined_strict("brown wooden chair", ["brown chair"]) == 0


def test_refined_says_nothing_about_compass_words() -> None:
    assert em_refined_membership_first("left", ["front-left"]) == 1, "half the answer is taken for the whole"


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_the_variants_are_ordered(said: list[str], accepted: list[list[str]]) -> None:
    prediction, references = " ".join(said), [" ".join(words) for words in accepted]
    score = {name: s.score(prediction, references) for name, s in SCORERS.items()}
    assert score["em_raw"] <= score["em_clean"] <= score["em_refined_membership_first"]
    assert (
        score["em_refined_strict"] <= score["em_refined_membership_first"] == score["em_refined_first_match"]
    )


def test_names_and_versions() -> None:
    assert HEADLINE == "em_raw"
    assert all(name == s.name and s.version >= 1 for name, s in SCORERS.items())
    with pytest.raises(ParameterError, match="em_fuzzy"):
        scorer("em_fuzzy")


def test_the_rule_of_sqa3d_takes_one_shared_word_and_leaves_the_answer_uncleaned() -> None:
    rule = sqa3d_shared_word
    assert rule("a wooden chair", ["office chair"]) == rule("chair", ["office chair"]) == 1
    assert rule("2", ["2"]) == 0, "two is not 2: only the prediction is cleaned"
    assert rule("northern", ["no"]) == 0, "the answer within the prediction does not count"
    assert rule("no", ["northern"]) == 1
