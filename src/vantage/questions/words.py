"""The vocabulary: every word a question or an answer of the pocket model may hold, and the tokenizer.

`VOCABULARY` is append-only: a word's place in it is its token id in every model trained so far. New words go
at its end, and a test freezes the digest of what is there already.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Final

from vantage.core.errors import ParameterError

PAD: Final = "<pad>"
IMAGE: Final = "<image>"
BOS: Final = "<bos>"
EOS: Final = "<eos>"
UNK: Final = "<unk>"
"""Present because tokenizer formats ask for it; `tokenize` never produces it but raises `UnknownWord`."""
SPECIALS: Final = (PAD, IMAGE, BOS, EOS, UNK)

COLORS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
CLASSES: Final = (
    "bed", "cabinet", "chair", "sofa", "table", "desk", "bookshelf",
    "dresser", "nightstand", "lamp", "refrigerator", "tv", "box", "bathtub",
)  # fmt: skip
PLURALS: Final = (
    "beds", "cabinets", "chairs", "sofas", "tables", "desks", "bookshelves",
    "dressers", "nightstands", "lamps", "refrigerators", "tvs", "boxes", "bathtubs",
)  # fmt: skip
STRUCTURE: Final = ("wall", "floor", "door", "window")
"""What a room is made of. Words for patches without an object; never asked about."""
NUMBERS: Final = ("one", "two", "three", "four", "five", "six")
DIRECTIONS: Final = ("front-left", "front-right", "back-left", "back-right")
SIDES: Final = ("left", "right")
YES_NO: Final = ("yes", "no")
TEMPLATE_WORDS: Final = (
    "is", "there", "a", "how", "many", "are", "what", "the", "object", "color", "which", "side", "of",
    "first", "view", "on", "where", "from", "me", "far", "in", "metres", "nearer", "farther", "to", "than",
    "taller", "shorter", "closer",
)  # fmt: skip

VOCABULARY: Final[tuple[str, ...]] = (
    *SPECIALS, *COLORS, *CLASSES, *PLURALS, *STRUCTURE, *NUMBERS, *DIRECTIONS, *SIDES, *YES_NO,
    *TEMPLATE_WORDS,
)  # fmt: skip
WORD_IDS: Final[dict[str, int]] = {word: index for index, word in enumerate(VOCABULARY)}
ANSWERS: Final[tuple[str, ...]] = (*YES_NO, *NUMBERS, *CLASSES, *COLORS, *SIDES, *DIRECTIONS)

MAX_QUESTION_WORDS: Final = 13
"""The longest template (nearest_to); a question slot needs this many positions and one for the answer."""

# Spellings that mean words of the vocabulary. They have no token of their own.
SPELLINGS: Final = {
    "an": "a", "colour": "color", "meters": "metres", "further": "farther", "television": "tv",
    "fridge": "refrigerator", "couch": "sofa", "bookcase": "bookshelf",
    "where's": "where is", "what's": "what is", "there's": "there is",
}  # fmt: skip

# NYU40 labels whose spelling differs from the class word.
_LABELS: Final = {"night stand": "nightstand", "refridgerator": "refrigerator", "television": "tv"}
_WORD = re.compile(r"<[a-z]+>|[^\W_]+(?:[-'][^\W_]+)*")


class UnknownWord(ParameterError):  # noqa: N818 - reads as what it says
    """A question holds words outside the vocabulary; `words` lists them in order of appearance."""

    def __init__(self, words: tuple[str, ...], text: str) -> None:
        self.words = words
        near = {word: difflib.get_close_matches(word, _plain_words(), n=2, cutoff=0.6) for word in words}
        guesses = "; ".join(f"{word}: {' or '.join(found)}?" for word, found in near.items() if found)
        super().__init__(
            "the pocket model does not know " + ", ".join(repr(word) for word in words),
            where=f"question {text!r}",
            expected="words of the vocabulary: " + " ".join(_plain_words()),
            found=", ".join(words),
            hint=(f"did you mean {guesses}" if guesses else "rephrase with the words above"),
        )
        self.text = text

    def __reduce__(self) -> tuple[object, ...]:
        return UnknownWord, (self.words, self.text)


def tokenize(text: str) -> list[str]:
    """Split `text` into words of `VOCABULARY`.

    Lower case; punctuation is dropped; words joined by a hyphen stay one word; specials may not be typed.
    A few other spellings (`SPELLINGS`: "an", "colour", "meters") become the vocabulary's.

    Raises:
        UnknownWord: with all unknown words, the words allowed and the nearest ones.
    """
    typed = _WORD.findall(text.lower().replace("\u2019", "'"))
    words = [word for each in typed for word in SPELLINGS.get(each, each).split()]
    unknown = tuple(dict.fromkeys(word for word in words if word not in WORD_IDS or word in SPECIALS))
    if unknown:
        raise UnknownWord(unknown, text)
    return words


def class_of(label: str) -> str | None:
    """The class word for a raw or NYU40 label; None for structure and for labels outside the vocabulary."""
    name = label.strip().lower()
    name = _LABELS.get(name, name)
    return name if name in CLASSES else None


def plural(label: str) -> str:
    """The plural word of a class.

    Raises:
        KeyError: when `label` is not one of `CLASSES`.
    """
    return _plurals()[label]


def article(phrase: str) -> str:
    """`phrase` with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


@cache
def _plurals() -> dict[str, str]:
    return dict(zip(CLASSES, PLURALS, strict=True))


@cache
def _plain_words() -> tuple[str, ...]:
    return tuple(word for word in VOCABULARY if word not in SPECIALS)
