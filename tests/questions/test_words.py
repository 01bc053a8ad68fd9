from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import VantageError
from vantage.core.hashing import digest_json
from vantage.questions import words
from vantage.scans.generated import room

FROZEN = (88, "edb000da77adcfcccd43755a7ad56230507ba5d6718a631e2c28eda3bf673117")
"""How many words there were when the first model was trained, and their digest. New words go after them."""


def test_vocabulary_only_grows_at_its_end() -> None:
    count, digest = FROZEN
    assert digest_json(list(words.VOCABULARY[:count])) == digest, "the ids of a trained model's words moved"


def test_vocabulary_has_no_word_twice_and_pad_is_zero() -> None:
    assert len(set(words.VOCABULARY)) == len(words.VOCABULARY)
    assert words.WORD_IDS[words.PAD] == 0


def test_answers_are_single_words_of_the_vocabulary() -> None:
    for answer in words.ANSWERS:
        assert words.tokenize(answer) == [answer]


def test_generated_rooms_speak_this_vocabulary() -> None:
    assert room.CLASSES == words.CLASSES
    assert tuple(room.COLORS) == words.COLORS
    assert room.STRUCTURE_CLASSES == words.STRUCTURE
    for label, nyu40 in room.NYU40_NAME.items():
        assert words.class_of(nyu40) == label


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is the Red chair, from me?", "where is the red chair from me"),
        ("FRONT-LEFT", "front-left"),
        ("what's the orange object", "what is the orange object"),
        ("what\u2019s the orange object", "what is the orange object"),
        ("Is there an orange couch?", "is there a orange sofa"),
        ("how far is the tv from me in meters?", "how far is the tv from me in metres"),
        ("  \t ", ""),
    ],
)
def test_tokenize(text: str, expected: str) -> None:
    assert words.tokenize(text) == expected.split()


def test_unknown_words_are_all_named_with_what_to_type_instead() -> None:
    with pytest.raises(words.UnknownWord) as caught:
        words.tokenize("how many chiars and zebras are there?")
    error = caught.value
    assert error.words == ("chiars", "and", "zebras")
    text = str(error)
    assert "chiars: chairs" in text and "bookshelves" in text and "<pad>" not in text
    assert isinstance(error, VantageError) and error.exit_code == 2
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - errors cross process borders
    assert again.words == error.words and str(again) == text


@pytest.mark.parametrize("special", words.SPECIALS)
def test_specials_cannot_be_typed(special: str) -> None:
    with pytest.raises(words.UnknownWord):
        words.tokenize(f"where is {special} from me")


@given(st.text(max_size=40))
def test_any_text_becomes_known_words_or_an_error(text: str) -> None:
    try:
        found = words.tokenize(text)
    except words.UnknownWord as error:
        assert error.words
    else:
        assert all(word in words.WORD_IDS and word not in words.SPECIALS for word in found)


def test_plurals_and_articles() -> None:
    assert words.plural("bookshelf") == "bookshelves" and words.plural("box") == "boxes"
    assert words.article("orange chair") == "an orange chair" and words.article("bed") == "a bed"
    assert words.class_of("wall") is None and words.class_of("toaster") is None
