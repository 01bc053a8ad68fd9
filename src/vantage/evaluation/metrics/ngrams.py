"""How often every run of one to four words occurs in every text, counted for a whole corpus at once.

BLEU and CIDEr are sums over these counts. Words become integers, a run of n words becomes one integer from
its first n - 1 words and its last, and a sort counts them: no dictionary of tuples per text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

MAX_ORDER = 4

Ints = Int64[np.ndarray, " k"]


@dataclass(frozen=True)
class Counts:
    """Occurrences of runs of one length, a row for each text and run in it, sorted by text, then by run.

    Attributes:
        text: row of the text.
        gram: the run, 0..kinds-1, the same in predictions and references.
        count: how often it occurs there.
    """

    text: Int64[np.ndarray, " k"]
    gram: Int64[np.ndarray, " k"]
    count: Int64[np.ndarray, " k"]


@dataclass(frozen=True)
class Order:
    """Runs of one length: in the predictions, in the references, and how many kinds there are."""

    kinds: int
    said: Counts
    given: Counts


@dataclass(frozen=True)
class Corpus:
    """Predictions and their references, counted.

    Attributes:
        items: number of predictions.
        item_of: for each reference, its prediction's row; ascending.
        said_words, given_words: length of each prediction and reference in words.
        orders: runs of 1, 2, 3 and 4 words.
    """

    items: int
    item_of: Int64[np.ndarray, " r"]
    said_words: Int64[np.ndarray, " n"]
    given_words: Int64[np.ndarray, " r"]
    orders: tuple[Order, ...]


def count_corpus(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Corpus:
    """Count a corpus of texts whose tokens are separated by white space.

    Args:
        predictions: one for each item.
        references: at least one for each item.

    Raises:
        ValueError: another number of reference sets than of predictions, or an empty set.
    """
    if len(predictions) != len(references) or not all(references):
        raise ValueError(f"{len(predictions)} predictions, {len(references)} sets of references, none empty")
    item_of = np.repeat(np.arange(len(references)), [len(texts) for texts in references])
    texts = [*predictions, *(text for texts in references for text in texts)]
    words, length = _words(texts)
    n = len(predictions)
    return Corpus(n, item_of, length[:n], length[n:], _orders(words, length, n))


def _words(texts: Sequence[str]) -> tuple[Ints, Int64[np.ndarray, " t"]]:
    """All words of all texts as integers, and the length of each text."""
    known: dict[str, int] = {}
    split = [text.split() for text in texts]
    length = np.array([len(words) for words in split], dtype=np.int64)
    words = (known.setdefault(word, len(known)) for words in split for word in words)
    return np.fromiter(words, dtype=np.int64, count=int(length.sum())), length


def _orders(words: Int64[np.ndarray, " w"], length: Int64[np.ndarray, " t"], said: int) -> tuple[Order, ...]:
    text = np.repeat(np.arange(len(length)), length)
    left = np.repeat(np.cumsum(length), length) - np.arange(len(words))  # words from here to the text's end
    vocabulary = int(words.max()) + 1 if len(words) else 0
    orders, grams, kinds = [], words, vocabulary
    for n in range(1, MAX_ORDER + 1):
        if n > 1:
            joined = grams[:-1] * vocabulary + words[n - 1 :] if len(grams) > 1 else grams[:0]
            unique, grams = np.unique(joined, return_inverse=True)
            kinds = len(unique)
        starts = left[: len(grams)] >= n
        orders.append(_order(text[: len(grams)][starts], grams[starts], kinds, said))
    return tuple(orders)


def _order(text: Ints, gram: Ints, kinds: int, said: int) -> Order:
    keys, count = np.unique(text * max(kinds, 1) + gram, return_counts=True)
    text, gram = np.divmod(keys, max(kinds, 1))
    cut = int(np.searchsorted(text, said))
    given = Counts(text[cut:] - said, gram[cut:], count[cut:])
    return Order(kinds, Counts(text[:cut], gram[:cut], count[:cut]), given)


def rows_of(
    counts: Counts, kinds: int, text: Ints, gram: Ints
) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"]]:
    """Where pairs of text and run stand in `counts`: indices of the pairs that do, and the rows of those."""
    keys = counts.text * kinds + counts.gram
    wanted = text * kinds + gram
    row = np.searchsorted(keys, wanted)
    found = np.flatnonzero(row < len(keys))
    found = found[keys[row[found]] == wanted[found]]
    return found, row[found]


def summed(
    where: Int64[np.ndarray, " k"], weight: Float64[np.ndarray, " k"], rows: int
) -> Float64[np.ndarray, " rows"]:
    """Sum of the weights that belong to each of `rows` rows (numpy gives integers where there are none)."""
    return np.bincount(where, weights=weight, minlength=rows).astype(np.float64)
