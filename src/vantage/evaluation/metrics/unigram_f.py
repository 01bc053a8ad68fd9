"""ScanQA's F-value: words in common after WordNet's lemmatiser, or not at all where that is not installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec

from vantage.core.errors import ResourceError

Lemma = Callable[[str], str]
"""The base form of a word."""


def f_value(said: str, references: Sequence[str], lemma: Lemma) -> float:
    """1 for one of the references to the letter, else the best F of words over references.

    Words are split at white space, case and punctuation kept. Precision and recall are the shares of one
    side's words that the other has at all, so that a word said twice counts twice. Where a side has no word
    the published script divides by 0; here that F is 0.

    Source: ATR-DBI/ScanQA, scripts/score.py.
    """
    if said in references:
        return 1.0
    words = _lemmas(said, lemma)
    return max(_f(words, _lemmas(text, lemma)) for text in references)


def _lemmas(text: str, lemma: Lemma) -> list[str]:
    return [lemma(word) for word in text.split()]


def _f(said: Sequence[str], given: Sequence[str]) -> float:
    if not said or not given:
        return 0.0
    precision, recall = _share(said, given), _share(given, said)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share(words: Sequence[str], among: Sequence[str]) -> float:
    known = set(among)
    return sum(word in known for word in words) / len(words)


def wordnet_lacks() -> str | None:
    """What must be installed before WordNet's lemmatiser can be used; None when it can."""
    if find_spec("nltk") is None:
        return "WordNet's lemmatiser: pip install nltk; python -m nltk.downloader wordnet omw-1.4"
    try:
        wordnet()("chairs")
    except LookupError:
        return "nltk's corpora: python -m nltk.downloader wordnet omw-1.4"
    return None


def wordnet() -> Lemma:
    """nltk's `WordNetLemmatizer`, every word taken for a noun, as the published script has it.

    Raises `ResourceError` where nltk is not installed; without its corpora, `LookupError` at the first word.
    """
    try:
        from nltk.stem import WordNetLemmatizer
    except ImportError as error:
        raise ResourceError("the lemmatiser is not installed", expected="nltk and its wordnet") from error
    made = WordNetLemmatizer()

    @lru_cache(maxsize=65536)
    def lemma(word: str) -> str:
        return str(made.lemmatize(word))

    return lemma
